"""Keys rotated while everything runs, on a real database: nothing is lost, nothing is left under the old key."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pushjobs import settings as reading
from pushjobs.domain.job import JobState, Lane
from pushjobs.errors import NotPossible
from pushjobs.keys import Keys, Resealed
from pushjobs.local.directory import Installation
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store import envelope, pushes, resealing
from pushjobs.store.resealing import SEALED, Window
from pushjobs.store.sealing import Sealer, key_id
from tests.conftest import APPID
from tests.integration.commands import Run, runner
from tests.integration.hands import ORDER, ask, claim, deliver, schedule

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def directory(environment: dict[str, str], sandbox: SandboxClient, tmp_path: Path) -> Path:
    """An installation whose keys are in its `keys.json`; the servers are the tests' own."""
    assert sandbox is not None
    installation = Installation(tmp_path / "installation")
    installation.ensure_keys()
    environment["PUSHJOBS_DIRECTORY"] = str(installation.path)
    del environment["PUSHJOBS_ENCRYPTION_KEYS"]
    del environment["PUSHJOBS_LOOKUP_KEY"]
    return installation.path


@pytest.fixture
def run(
    directory: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command on that installation; returns status, output, errors."""
    assert directory.exists()
    return runner(environment, monkeypatch, capfd)


@pytest.fixture
def open_runtime(run: Run) -> Iterator[Callable[[], Runtime]]:
    """Open what a process of that installation would."""
    assert run is not None
    opened: list[Runtime] = []

    def make() -> Runtime:
        opened.append(Runtime(reading.load()))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def fill(runtime: Runtime) -> None:
    """Store jobs of their own and of a shared content, a push, and a client's secret, which is of no app."""
    schedule(runtime, 450)
    content = runtime.producer.store_content(**ORDER)
    runtime.producer.send_many([{"touser": "oSharing", "content": content}])
    with runtime.database.transaction() as connection:
        sealed = envelope.seal_push(runtime.sealer, {"body": "{}", "openid": ""}, appid=APPID, key=b"k")
        pushes.store(connection, 1, [pushes.NewPush(key=b"k", sealed=sealed)])
    client = runtime.clients.add("shop").client
    runtime.webhooks.place(client.id, "https://shop.example/outcomes")


def named(runtime: Runtime) -> dict[str, int]:
    """Count values by the key they name, over all tables."""
    return {key.id: key.total for key in runtime.keys.list()}


def ring(directory: Path) -> list[str]:
    listed = json.loads((directory / "keys.json").read_text())["encryption_keys"]
    return [key_id(base64.b64decode(key)).hex() for key in listed]


def test_a_rotation_needs_no_restart(
    run: Run, open_runtime: Callable[[], Runtime], directory: Path, sandbox: SandboxClient
) -> None:
    """12.20 Everything is sealed anew with a fresh key, and processes that ran before it send all of it."""
    running = open_runtime()
    fill(running)
    [old] = ring(directory)
    assert running.delivery is not None
    assert run("keys", "rotate")[:2] == (0, "encrypted 454 values anew\n")

    fresh, kept = ring(directory)
    assert kept == old
    assert named(open_runtime()) == {fresh: 454, old: 0}
    deliver(running, claim(running))
    assert sandbox.summary().accepted == 451
    assert running.producer.counts()[JobState.SENT] == 451
    # Having opened a value of the fresh key, the process seals with it too.
    schedule(running)
    assert named(open_runtime()) == {fresh: 455, old: 0}


def test_a_rotation_that_was_killed_goes_on(run: Run, open_runtime: Callable[[], Runtime], directory: Path) -> None:
    """Killed after some pages, the rotation is run again: it makes no other key and touches only what is left."""
    fill(open_runtime())
    installation = Installation(directory)
    pages = 0

    class KilledError(Exception):
        """The process died here."""

    def count(_: int) -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise KilledError

    with pytest.raises(KilledError), installation.rotation():
        open_runtime().keys.reseal(count)
    fresh, old = ring(directory)
    assert named(open_runtime()) == {fresh: 400, old: 54}
    assert run("keys", "rotate")[:2] == (0, "encrypted 54 values anew\n")
    assert ring(directory) == [fresh, old]
    # That one has ended: another is another.
    assert run("keys", "rotate")[0] == 0
    assert ring(directory)[1:] == [fresh, old]


def test_two_rotations_at_once_are_refused(run: Run, directory: Path, open_runtime: Callable[[], Runtime]) -> None:
    """While one is under way another one is refused and changes nothing."""
    assert open_runtime().sealer is not None
    with Installation(directory).rotation():
        before = ring(directory)
        status, _, err = run("keys", "rotate")
        assert (status, "another rotation" in err) == (2, True)
        assert ring(directory) == before


def sealed_values(runtime: Runtime) -> Counter[bytes]:
    return Counter(bytes(row[0]) for row in ask(runtime, "SELECT sealed FROM pushjobs.jobs"))


def test_what_was_changed_meanwhile_is_not_written_over(runtime: Runtime) -> None:
    """A value that is another by the time its new one comes stays, and a row that somebody holds is left alone."""
    schedule(runtime, 3)
    keys = Sealer([NEW, b"e" * 32])
    [jobs] = [column for column in SEALED if column.table == "jobs"]
    with runtime.database.transaction() as connection:
        found = resealing.old(connection, jobs, Window(0, 2**52), newest=key_id(NEW))
    fresh = [(was, keys.reseal(was.sealed, was.bound_to)) for was in found]
    ask(runtime, "UPDATE pushjobs.jobs SET sealed = '' WHERE id = :id", id=found[0].number)
    with runtime.database.transaction() as holder:
        holder.exec_driver_sql("SELECT FROM pushjobs.jobs WHERE id = %s FOR UPDATE", (found[1].number,))
        with runtime.database.transaction() as connection:
            assert resealing.reseal(connection, jobs, fresh) == 1
    assert sealed_values(runtime) == Counter([b"", found[1].sealed, fresh[2][1]])


def test_what_no_key_opens_is_counted_and_left(runtime: Runtime) -> None:
    """Values of a lost key, or altered ones, end no rotation: they are told of, and the others are sealed anew."""
    schedule(runtime, 3)
    ask(runtime, "UPDATE pushjobs.jobs SET sealed = set_byte(sealed, 30, get_byte(sealed, 30) # 1) WHERE id = 1")
    ask(runtime, "UPDATE pushjobs.jobs SET sealed = set_byte(sealed, 2, get_byte(sealed, 2) # 1) WHERE id = 2")
    keys = Keys(runtime.database, Sealer([NEW, b"e" * 32]))
    assert keys.reseal() == Resealed(values=1, left=0, unreadable=2)
    assert [(key.is_first, key.is_held, key.total) for key in keys.list()] == [
        (True, True, 1),
        (False, True, 1),
        (False, False, 1),
    ]


def test_the_keys_commands(run: Run, open_runtime: Callable[[], Runtime], directory: Path) -> None:
    """`keys list` shows which key is named how often; `keys remove` takes only one that nothing names."""
    fill(open_runtime())
    [old] = ring(directory)
    assert json.loads(run("keys", "list", "--json")[1]) == [
        {
            "id": old,
            "is_first": True,
            "is_held": True,
            "values": {"jobs": 451, "contents": 1, "pushes": 1, "webhooks": 1, "apps": 0}
            | dict.fromkeys(("campaigns", "runs", "snapshots", "audience_members"), 0),
            "total": 454,
        }
    ]
    assert run("keys", "remove", old, "--yes")[0] == 2
    with Installation(directory).rotation():
        pass  # a fresh key is first, and nothing is sealed anew yet
    fresh = ring(directory)[0]
    status, _, err = run("keys", "remove", old, "--yes")
    assert (status, f"454 values name key {old}" in err) == (2, True)
    assert run("keys", "rotate")[0] == 0
    newest = ring(directory)[0]
    status, out, _ = run("keys", "list")
    assert status == 0
    assert {newest, fresh, old, "first"} <= set(out.split())
    assert run("keys", "remove", old)[0] == 2
    assert run("keys", "remove", old, "--yes")[:2] == (0, f"took away key {old}\n")
    assert ring(directory) == [newest, fresh]
    assert run("keys", "remove", old, "--yes")[0] == 2


def test_keys_of_the_environment_are_the_environment_s(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    """Where the environment holds the keys no file is written: one key is not rotated, of several the first seals."""
    keys = [base64.b64encode(key).decode() for key in (NEW, OLD)]
    before = ring(directory)
    monkeypatch.setenv("PUSHJOBS_LOOKUP_KEY", keys[0])
    monkeypatch.setenv("PUSHJOBS_ENCRYPTION_KEYS", keys[1])
    status, _, err = run("keys", "rotate")
    assert (status, "put a new one behind it for every process" in err) == (2, True)
    old = Runtime(reading.load())
    schedule(old, 2, lane=Lane.BULK)
    old.close()
    monkeypatch.setenv("PUSHJOBS_ENCRYPTION_KEYS", ",".join(keys))
    assert json.loads(run("keys", "rotate", "--json")[1]) == {"encrypted": 2, "unreadable": 0}
    assert run("keys", "remove", key_id(OLD).hex(), "--yes")[0] == 2
    assert ring(directory) == before
    assert ask(runtime, "SELECT DISTINCT substring(sealed FROM 2 FOR 4) FROM pushjobs.jobs") == [(key_id(NEW),)]


def test_keys_that_are_not_there_are_not_rotated(tmp_path: Path) -> None:
    """Before the first start there are no keys, and none are made."""
    installation = Installation(tmp_path)
    with pytest.raises(NotPossible, match=r"keys\.json"), installation.rotation():
        pytest.fail("no keys")
    assert not installation.keys.exists()
