"""The directory of an installation: who may read it, what is kept, and who else may use it."""

import base64
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest

from pushjobs.errors import Misconfigured, NotPossible
from pushjobs.local.directory import Installation
from pushjobs.settings import Settings

HOLD_LOCK = textwrap.dedent("""
    import signal, sys
    from pushjobs.local.directory import Installation
    with Installation(sys.argv[1]).lock():
        print("locked", flush=True)
        signal.pause()
""")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_the_owners_alone(installation: Installation) -> None:
    """Directories have mode 700 and files 600."""
    installation.ensure_keys()
    installation.flower_password()
    installation.callback_secrets()
    installation.write_sandbox({"callback_token": "secret"})
    installation.publish({"redis_url": "unix:///nowhere"})
    installation.sockets()
    directories = [path for path in installation.path.rglob("*") if path.is_dir()]
    files = [path for path in installation.path.rglob("*") if path.is_file()]
    assert {mode(path) for path in (installation.path, *directories)} == {0o700}
    assert {mode(path) for path in files} == {0o600}
    # And one more where the path of the test's directory is too long for sockets.
    made = {"keys.json", "flower.json", "callbacks.json", "sandbox.json", "addresses.json"}
    assert made <= {path.name for path in files}


def test_keys_are_made_once(installation: Installation) -> None:
    """The second start finds the first one's keys, of 32 bytes each."""
    installation.ensure_keys()
    keys = json.loads(installation.keys.read_text())
    Installation(installation.path).ensure_keys()
    assert json.loads(installation.keys.read_text()) == keys
    assert {len(base64.b64decode(key)) for key in (*keys["encryption_keys"], keys["lookup_key"])} == {32}


def test_flowers_password_is_kept(installation: Installation) -> None:
    """Flower has the same user and password at every start."""
    assert installation.flower_password() == Installation(installation.path).flower_password()


def test_a_sandbox_s_callback_secrets_are_kept_and_such_as_wechat_takes(installation: Installation) -> None:
    """Token and key are the same at every start, and the settings take them."""
    secrets = installation.callback_secrets()
    assert secrets == Installation(installation.path).callback_secrets()
    given = Settings.model_validate({f"callback_{name}": value for name, value in secrets.items()})
    assert given.callback_aes_key is not None


def test_addresses_are_only_there_while_published(installation: Installation) -> None:
    """`withdraw` removes the file of addresses, and may be repeated."""
    installation.publish({"redis_url": "unix:///nowhere"})
    assert json.loads(installation.addresses.read_text()) == {"redis_url": "unix:///nowhere"}
    installation.withdraw()
    installation.withdraw()
    assert not installation.addresses.exists()


def test_a_second_user_of_the_directory_is_refused(installation: Installation, cleanup: ExitStack) -> None:
    """While another process holds the lock, taking it fails with that process' id; its death frees it."""
    other = subprocess.Popen([sys.executable, "-c", HOLD_LOCK, str(installation.path)], stdout=subprocess.PIPE)
    cleanup.enter_context(other)
    cleanup.callback(other.kill)
    assert other.stdout is not None
    other.stdout.readline()
    with pytest.raises(NotPossible, match=rf"as process {other.pid}\b"), installation.lock():
        pass
    other.send_signal(signal.SIGKILL)
    other.wait()
    with installation.lock():
        pass


@pytest.mark.parametrize("name", ["x" * 100, "推送 服务"])
def test_sockets_move_where_their_path_fits(tmp_path: Path, name: str) -> None:
    """A path too long for a socket, or one a URL would have to quote, gets a short private directory, kept for good."""
    installation = Installation(tmp_path / name)
    sockets = installation.sockets()
    assert not sockets.is_relative_to(installation.path)
    assert len(os.fsencode(sockets / ".s.PGSQL.5432")) <= 103
    assert mode(sockets) == 0o700
    installation.clear_sockets()
    assert not sockets.exists()
    assert Installation(installation.path).sockets() == sockets
    installation.clear_sockets()


def test_a_socket_directory_open_to_others_is_not_used(tmp_path: Path) -> None:
    """Whoever took the remembered name in the temporary directory meanwhile does not get our connections."""
    installation = Installation(tmp_path / ("x" * 100))
    taken = installation.sockets()
    taken.chmod(0o777)
    fresh = installation.sockets()
    assert fresh != taken
    installation.clear_sockets()
    taken.rmdir()


def test_a_directory_without_room_for_sockets_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the temporary directory is too long as well, the message says what to change."""
    (tmp_path / ("t" * 100)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("t" * 100)))
    with pytest.raises(Misconfigured, match="TMPDIR"):
        Installation(tmp_path / ("x" * 100)).sockets()
