"""Who descends from a process, and who lives: read off the system's own table of processes."""

import subprocess
from contextlib import suppress
from pathlib import Path

__all__ = ["alive", "descendants"]


def descendants(pid: int) -> set[int]:
    """Return the living children of a process and theirs, whichever of its threads started them."""
    parents = _parents()
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those of the processes that live; one that has ended and was not asked about by its parent does not."""
    return pids & _parents().keys()


def _parents() -> dict[int, int]:
    """Return each living process' parent."""
    if Path("/proc/self").exists():
        lines = list(_stat())
    else:  # macOS
        listed = subprocess.run(["ps", "-A", "-o", "pid=,stat=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607 (ps is where the system has it)
        lines = [line.split() for line in listed.stdout.splitlines()]
    return {int(pid): int(parent) for pid, state, parent in lines if not state.startswith(("Z", "X"))}


def _stat() -> list[list[str]]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            # The name, in brackets, may hold anything; state and parent are the words behind it.
            found.append([entry.parent.name, *entry.read_text().rpartition(")")[2].split()[:2]])
    return found
