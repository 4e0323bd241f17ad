"""The ring in `keys.json`: when it is read anew, and when the file means nothing."""

import base64
import json
from pathlib import Path

from pushjobs.keyfile import KeyFile, renewal

ONE, TWO = b"1" * 32, b"2" * 32


def write(directory: Path, *keys: bytes) -> None:
    """Write the file as it is written: whole, in place of the old one."""
    new = directory / "keys.new"
    new.write_text(json.dumps({"encryption_keys": [base64.b64encode(key).decode() for key in keys], "lookup_key": ""}))
    new.replace(directory / "keys.json")


def test_a_change_is_told_once(tmp_path: Path) -> None:
    """The ring is returned at the first question and after every change, else nothing."""
    write(tmp_path, ONE)
    file = KeyFile(tmp_path / "keys.json")
    assert (file.changed(), file.changed()) == ((ONE,), None)
    write(tmp_path, TWO, ONE)
    assert (file.changed(), file.changed()) == ((TWO, ONE), None)


def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    """Without the file, or with a broken one, a process keeps the keys it has."""
    file = KeyFile(tmp_path / "keys.json")
    assert file.changed() is None
    for broken in ("", "[]", '{"encryption_keys": 1}', '{"encryption_keys": ["?"]}'):
        (tmp_path / "keys.json").write_text(broken)
        assert file.changed() is None


def test_keys_of_the_environment_do_not_change(tmp_path: Path) -> None:
    """A process whose keys are not out of the file never takes keys out of it."""
    write(tmp_path, ONE)
    from_file, from_elsewhere = renewal(tmp_path, [ONE]), renewal(tmp_path, [TWO])
    write(tmp_path, TWO, ONE)
    assert (from_file(), from_elsewhere()) == ((TWO, ONE), None)
