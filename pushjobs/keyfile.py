"""The key ring in an installation's `keys.json`, read anew when the file changes: a rotation needs no restart.

Reads only; `local` writes the file. What the environment sets is not looked at here: there the file means nothing.
"""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["KeyFile", "renewal"]


class KeyFile:
    """The ring in one file, as it stands now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def read(self) -> tuple[bytes, ...]:
        """Return the ring, newest first; nothing where there is no such file, or none that can be read."""
        try:
            listed = json.loads(self._path.read_bytes())["encryption_keys"]
            return tuple(base64.b64decode(key, validate=True) for key in listed)
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def changed(self) -> tuple[bytes, ...] | None:
        """Return the ring if the file was written since this was last asked; None if it was not."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        # It is replaced whole, never written in place: another one has another number, or at least another time.
        seen = status.st_ino, status.st_mtime_ns
        if seen == self._seen:
            return None
        self._seen = seen
        return self.read() or None


def renewal(directory: Path, keys: Sequence[bytes]) -> Callable[[], Sequence[bytes] | None]:
    """Return what tells a `Sealer` with these keys that its ring was changed.

    That is the directory's file, if the keys are out of it. Keys out of the environment change with the process.
    """
    file = KeyFile(directory / "keys.json")
    return file.changed if set(keys) & set(file.read()) else lambda: None
