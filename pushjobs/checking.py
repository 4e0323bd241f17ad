"""Look rows through before anything is sent: every fault of every row, by row and field.

`send_many` takes a row or refuses it at its first fault. Whoever mends a file of a campaign wants to hear of all of
them at once, and wants nothing stored meanwhile. Both read by the same rules (`request`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pushjobs.errors import InvalidInput
from pushjobs.rejections import Rejected
from pushjobs.request import Terms, find_faults, named_app

__all__ = ["Checked", "check"]


@dataclass(slots=True)
class Checked:
    """What `check` found: how many `rows` it looked at, how many of them are `sound`, and all `faults` of the others.

    The first 100,000 faults are listed; `faults.total` counts them all.
    """

    rows: int = 0
    sound: int = 0
    faults: Rejected = field(default_factory=Rejected)


def check(rows: Iterable[Mapping[str, Any]], terms: Callable[[object], Terms]) -> Checked:
    """Look through rows of `send`'s arguments, any iterable, streamed; an iterable without a row is refused.

    `terms` gives those of the app that a row names, None where it names none; raises InvalidInput for no app of ours.
    """
    if not isinstance(rows, Iterable):
        raise InvalidInput("rows", f"is no iterable ({type(rows).__name__})", "give a row for each push")
    checked = Checked()
    for checked.rows, row in enumerate(rows, start=1):
        faults = _faults(row, terms)
        checked.sound += not faults
        for fault in faults:
            checked.faults.add(checked.rows, fault)
    if not checked.rows:
        raise InvalidInput("rows", "is empty", "give at least one row")
    return checked


def _faults(row: object, terms: Callable[[object], Terms]) -> list[InvalidInput]:
    try:
        own = terms(named_app(row))
    except InvalidInput as refusal:
        # By whose templates and zone it should be read, nobody knows.
        return [refusal]
    return find_faults(row, own)
