"""A thread that keeps watch in a process of ours, whatever else that does."""

import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Watch"]

_EVERY_SECONDS = 5.0
_FIRST_SECONDS = 15.0
"""By then whatever is started together has started: a beat that did not tick yet is not silent."""

_LAST_SECONDS = 5.0


class Watch:
    """Keeps watch from `start` to `stop`; made after a fork. `watch` looks and tells once."""

    def __init__(self, watch: Callable[[], None]) -> None:
        self._watch = watch
        self._leaves = threading.Event()
        self._thread = threading.Thread(target=self._keep_watching, name="pushjobs-watch", daemon=True)

    def start(self) -> None:
        """Begin; the first look comes after a while."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, when what is being told is told and noted, or after some seconds."""
        self._leaves.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_SECONDS)

    def _keep_watching(self) -> None:
        wait = _FIRST_SECONDS
        while not self._leaves.wait(wait):
            wait = _EVERY_SECONDS
            # Without the database nothing can be noted; a thread that ended would see nothing any more.
            with suppress(Exception):
                self._watch()
