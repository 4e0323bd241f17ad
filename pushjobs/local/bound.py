"""Bind a process to the life of its parent, so that a killed supervisor leaves no worker sending.

    python bound.py PARENT -- argv …

Linux keeps the promise (PR_SET_PDEATHSIG, which survives execve); elsewhere the process runs unbound. The signal comes
when the *thread* that made the process ends (prctl(2)): whoever starts a bound process keeps that thread alive. Imports
nothing of ours, because it runs before, and inside, processes that must start fast.
"""

import ctypes
import os
import signal
import sys

__all__ = ["die_with_parent"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when `parent`, which started it, dies; at once if it is dead already.

    SIGKILL, not SIGTERM: a drain may take longer than the five seconds in which nothing of a killed `up` may be left,
    and a kill at any moment is what delivery is built for.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the system was told; then this process has been handed to another.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606 (no shell, that is the point)
