"""Values that are made by the thousand: frozen to the type checker, and made in a third of a frozen one's time.

A frozen dataclass stores each field through `object.__setattr__`. One of thirteen fields takes 4.0 µs to make, this one
1.2 µs (Python 3.11), and a send makes ten of them. mypy refuses an assignment to a field as it does with a frozen one;
at run time nothing would. What is not made once a job stays a frozen dataclass.
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = ["hot_value"]

_Value = TypeVar("_Value")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def hot_value(cls: type[_Value]) -> type[_Value]:
    """Make a slotted, keyword-only dataclass that compares and hashes by its fields."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
