"""The timetable in code: the module that declares campaigns, looked up in the current directory first."""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from pushjobs.errors import Misconfigured

__all__ = ["campaigns_in", "load"]


def campaigns_in(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Return `CAMPAIGNS` of the module of this name: arguments by key; raises Misconfigured where it cannot be had."""
    declared = getattr(load(name), "CAMPAIGNS", {})
    if not isinstance(declared, Mapping):
        raise Misconfigured(f"CAMPAIGNS in {name} is no mapping ({type(declared).__name__}): give arguments by key")
    return declared


def load(name: str) -> ModuleType:
    """Import a module, from the current directory where it has one of that name; raises Misconfigured.

    An application's own `beat_schedule.py` does not take the place of ours, which has the same name and the ticks.
    """
    here = Path(*name.split(".")).with_suffix(".py")
    try:
        if not here.is_file():
            return import_module(name)
        spec = spec_from_file_location(name, here.absolute())
        assert spec is not None  # noqa: S101 - a path that ends in .py has one
        assert spec.loader is not None  # noqa: S101 - as above
        module = module_from_spec(spec)
        # What it imports beside it is found as if it were run there.
        if (directory := str(Path.cwd())) not in sys.path:
            sys.path.append(directory)
        spec.loader.exec_module(module)
    except Exception as error:
        why = f"which cannot be imported ({type(error).__name__}): run it by itself to see"
        raise Misconfigured(f"PUSHJOBS_CAMPAIGNS names {name}, {why}") from error
    return module
