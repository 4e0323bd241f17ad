"""Where an installation lives: one directory, one owner, one `up` at a time.

Everything that must be found again is below the directory: the servers' data, the keys, the logs. The one exception
are the unix sockets: their paths are limited by the system, so a long path moves them to a short private directory
that is remembered here. Nothing below is readable by other accounts. A key, once written, is never written over.
"""

import base64
import fcntl
import json
import os
import re
import secrets
import stat
import string
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from pushjobs.errors import Misconfigured, NotPossible

__all__ = ["Installation"]

_LONGEST_SOCKET = 107 if sys.platform == "linux" else 103
"""Bytes of `sun_path` less the closing zero: unix(7); sys/un.h on macOS and the BSDs."""

_LONGEST_NAME = "/.s.PGSQL.5432"
"""What PostgreSQL appends to its socket directory; Valkey's socket has a shorter name."""

_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")
"""Paths that stand in a URL, and in PostgreSQL's comma-separated list of socket directories, as they are."""

_KEY_BYTES = 32
_ROTATING = "is_rotating"

_TOKEN_LENGTH, _AES_KEY_LENGTH = 32, 43
"""What WeChat's console takes."""


class Installation:
    """One directory with all that belongs to it; made, for its owner only, when it is first used."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.addresses = self.path / "addresses.json"
        self.keys = self.path / "keys.json"
        self.flower = self.path / "flower.json"
        self._elsewhere = self.path / "sockets.json"
        for directory in (self.path, self.logs, self.run):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"Installation({str(self.path)!r})"

    def log(self, name: str) -> Path:
        """Return the path of a process' log."""
        return self.logs / f"{name}.log"

    def sockets(self) -> Path:
        """Return the private directory of the unix sockets, made if need be, and the same one at every start.

        An application that is connected finds the servers again after their restart. Raises Misconfigured where every
        place has too long a path for a socket.
        """
        near = self.path / "sockets"
        if _holds_sockets(near):
            near.mkdir(mode=0o700, exist_ok=True)
            return near
        if self._elsewhere.exists():
            remembered = Path(json.loads(self._elsewhere.read_text()))
            with suppress(FileExistsError):
                remembered.mkdir(mode=0o700)
            if _is_private(remembered):
                return remembered
        elsewhere = Path(tempfile.mkdtemp(prefix="pushjobs-"))
        if not _holds_sockets(elsewhere):
            elsewhere.rmdir()
            raise Misconfigured(
                f"{self.path} and {elsewhere.parent} are both too long, or too unusual, for the paths of unix sockets: "
                "choose a shorter --directory, or set TMPDIR to a short path"
            )
        _write_privately(self._elsewhere, str(elsewhere))
        return elsewhere

    def clear_sockets(self) -> None:
        """Leave no empty directory behind outside the installation; its name stays remembered."""
        if self._elsewhere.exists():
            elsewhere = Path(json.loads(self._elsewhere.read_text()))
            if _is_private(elsewhere) and not any(elsewhere.iterdir()):
                elsewhere.rmdir()

    def ensure_keys(self) -> None:
        """Write fresh keys to `keys.json` unless it exists: what they encrypted could never be read again."""
        if not self.keys.exists():
            _write_privately(self.keys, {"encryption_keys": [_fresh_key()], "lookup_key": _fresh_key()})

    @contextmanager
    def rotation(self) -> Iterator[None]:
        """Put a fresh key first in `keys.json`; what follows seals everything anew, and when that ends it is over.

        One that did not end goes on with its key. Raises NotPossible while another one is under way.
        """
        with _open_privately(self.path / "rotation.lock", os.O_RDWR) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NotPossible(f"another rotation of the keys in {self.path} is under way: wait for it") from None
            content = self._read_keys()
            if not content.get(_ROTATING):
                ring = [_fresh_key(), *content["encryption_keys"]]
                _write_privately(self.keys, {**content, "encryption_keys": ring, _ROTATING: True})
            yield
            _write_privately(self.keys, {**self._read_keys(), _ROTATING: False})

    def remove_key(self, key: bytes) -> None:
        """Take a key that is not the first out of `keys.json`: what it sealed can never be read again."""
        content = self._read_keys()
        first, *others = content["encryption_keys"]
        kept = [each for each in others if base64.b64decode(each) != key]
        _write_privately(self.keys, {**content, "encryption_keys": [first, *kept]})

    def _read_keys(self) -> dict[str, Any]:
        if not self.keys.exists():
            raise NotPossible(f"there is no {self.keys}: the first `pushjobs up` writes it")
        return dict(json.loads(self.keys.read_text()))

    def flower_password(self) -> str:
        """Return the password of Flower's user, made up at the first call and then kept."""
        if not self.flower.exists():
            _write_privately(self.flower, {"user": "pushjobs", "password": secrets.token_urlsafe(18)})
        return str(json.loads(self.flower.read_text())["password"])

    def callback_secrets(self) -> dict[str, str]:
        """Return Token and EncodingAESKey for a sandbox's callbacks, made up at the first call and then kept."""
        path = self.path / "callbacks.json"
        if not path.exists():
            _write_privately(path, {"token": _letters(_TOKEN_LENGTH), "aes_key": _letters(_AES_KEY_LENGTH)})
        return dict(json.loads(path.read_text()))

    def write_sandbox(self, behaviour: Mapping[str, str]) -> Path:
        """Write a sandbox's settings, secrets among them, where it can read them; return the file."""
        path = self.run / "sandbox.json"
        _write_privately(path, dict(behaviour))
        return path

    def publish(self, addresses: Mapping[str, str]) -> None:
        """Write `addresses.json`, whole or not at all: other processes read it at any moment."""
        _write_privately(self.addresses, dict(addresses))

    def withdraw(self) -> None:
        """Remove `addresses.json`: nothing answers at those addresses any more."""
        self.addresses.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only `up` on this directory; the system lets go of it however the process ends.

        Raises NotPossible with the other's process id.
        """
        with _open_privately(self.path / "lock", os.O_RDWR) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NotPossible(
                    f"pushjobs already runs in {self.path}, as process {file.read().strip() or 'unknown'}: "
                    "stop it, or choose another --directory"
                ) from None
            file.truncate()
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


def _holds_sockets(directory: Path) -> bool:
    path = str(directory)
    return len(os.fsencode(path + _LONGEST_NAME)) <= _LONGEST_SOCKET and _PLAIN.fullmatch(path) is not None


def _is_private(directory: Path) -> bool:
    # While it was away, the name in the temporary directory was free for anyone to take.
    try:
        status = directory.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(count))


def _fresh_key() -> str:
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def _open_privately(path: Path, flags: int) -> TextIO:
    return os.fdopen(os.open(path, flags | os.O_CREAT, 0o600), "r+")


def _write_privately(path: Path, content: object) -> None:
    # The rename must not reach the disk before the content: a crash would leave an empty file of keys.
    new = path.with_suffix(".new")
    with _open_privately(new, os.O_RDWR | os.O_TRUNC) as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    # Nor may what the new content seals reach the disk before the rename: after a crash nobody could open it.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
