"""`pushjobs up` before its processes run: what it refuses, and that a start that fails leaves nothing behind."""

import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pushjobs.errors import NotPossible, Unreachable
from pushjobs.local import applications
from pushjobs.local.directory import Installation
from pushjobs.local.up import Up, UpOptions
from pushjobs.sandbox import Settings as Behaviour

NOWHERE = "postgresql+psycopg://nobody@/nothing?host=/nonexistent"


def options(directory: Path) -> UpOptions:
    return UpOptions(
        directory=directory, environment={}, database_url=NOWHERE, redis_url="unix:///nonexistent", http=None
    )


def test_one_up_a_directory(installation: Installation) -> None:
    """A second `up` on the same directory is refused before it touches anything."""
    with (
        installation.lock(),
        pytest.raises(NotPossible, match="another --directory"),
        Up(options(installation.path), print),
    ):
        pass
    assert not installation.keys.exists()


def test_a_failed_start_is_undone(installation: Installation) -> None:
    """With a database that does not answer nothing stays: no address, no lock, no signal handler."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with pytest.raises(Unreachable), Up(options(installation.path), print):
        pass
    assert not installation.addresses.exists()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    with installation.lock():
        pass


def test_a_port_that_is_taken_is_refused_at_once(installation: Installation) -> None:
    """Where another program listens, `up` says so before it starts anything."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = replace(options(installation.path), http=other.getsockname()[1])
        with pytest.raises(NotPossible, match="choose another for --http"), Up(taken, print):
            pass
    assert not installation.addresses.exists()


@pytest.mark.parametrize(
    ("own", "mode"),
    [
        ({}, "secure"),
        ({"PUSHJOBS_CALLBACK_TOKEN": "mine"}, "plain"),
        ({"PUSHJOBS_CALLBACK_TOKEN": "mine", "PUSHJOBS_CALLBACK_AES_KEY": "k" * 43}, "secure"),
    ],
)
def test_the_sandbox_pushes_with_the_caller_s_own_secrets(
    installation: Installation, cleanup: ExitStack, own: dict[str, str], mode: str
) -> None:
    """A token of the caller's, and a key if there is one, go to the sandbox; else both are made up."""
    up = Up(replace(options(installation.path), http=0, sandbox=True, environment=own), print)
    up._listen(cleanup)
    settings = up._callback_settings()
    assert settings["callback_url"] == f"{up.addresses['http']}/callback/wxsandbox00000000"
    assert (settings["callback_mode"], settings["callback_token"] == "mine") == (mode, bool(own))
    assert Behaviour().changed(settings).callback_url == settings["callback_url"]


def test_servers_of_ones_own_replace_the_embedded(installation: Installation) -> None:
    """With both addresses given, no server is started here and no data directory made."""
    with pytest.raises(Unreachable), Up(options(installation.path), print):
        pass
    assert not installation.postgres.exists()
    assert not installation.valkey.exists()


def test_up_s_doors_speak_no_tls(installation: Installation) -> None:
    """A certificate that is set for doors elsewhere is nothing to those that `up` opens on this machine alone."""
    given = {"PUSHJOBS_HTTP_CERTIFICATE": "/etc/c.pem", "PUSHJOBS_HTTP_KEY": "/etc/k.pem"}
    doors = applications.http(installation, given, listening=3)
    assert dict(doors.environment) == dict.fromkeys(given, "")
