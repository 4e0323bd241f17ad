"""Servers brought back from their files: an old copy of the disk, a recovery, a promoted standby, another machine."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import psycopg
import pytest
from sqlalchemy import text

from pushjobs.domain.events import DatabaseSteppedBack, Event
from pushjobs.domain.heartbeat import Step
from pushjobs.local.directory import Installation
from pushjobs.local.postgres import PostgresServer
from pushjobs.store import migrate
from pushjobs.store.database import Database
from pushjobs.witness import InFile, Witness
from tests.acceptance.installation import wait_for
from tests.integration.dumps import program


@dataclass
class Site:
    """A server that is sent from, a copy of its files, and what was seen of it."""

    server: PostgresServer
    copy: Installation
    seen: Path


@contextmanager
def watched(url: str, seen: Path) -> Iterator[tuple[Witness, list[Event], Database]]:
    """A process' witness on the server of this address, and what it tells."""
    database, told = Database(url), list[Event]()
    try:
        yield Witness(database, [InFile(seen)], emit=told.append), told, database
    finally:
        database.close()


def beat(url: str, seen: Path) -> list[Step]:
    """Beat as a process that has just started does; return the steps it notices."""
    with watched(url, seen) as (witness, told, _):
        witness.beat()
        return [event.step for event in told if isinstance(event, DatabaseSteppedBack)]


def execute(url: str, sql: str) -> None:
    """Run a statement outside transactions."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql)


@pytest.fixture
def site() -> Iterator[Site]:
    """A server with our tables and one app, copied while it ran."""
    with tempfile.TemporaryDirectory(prefix="pushjobs-site-") as directory:
        here, there = Installation(Path(directory) / "a"), Installation(Path(directory) / "b")
        with PostgresServer(here) as server:
            migrate.upgrade(server.url)
            execute(server.url, "INSERT INTO pushjobs.apps (appid) VALUES ('wx1')")
            seen = Path(directory) / "witness.json"
            assert beat(server.url, seen) == []
            address = ("--host", str(here.sockets()), "--username", "pushjobs")
            done = program("pg_basebackup", *address, "--pgdata", str(there.postgres), "--checkpoint=fast")
            assert done.returncode == 0, done.stderr
            yield Site(server, there, seen)


def test_an_old_copy_of_the_files_is_noticed(site: Site) -> None:
    """12.5 A base backup started as it is has the old heartbeat, in the same timeline of the same server."""
    assert beat(site.server.url, site.seen) == []
    site.server.stop()
    with PostgresServer(site.copy) as restored:
        assert beat(restored.url, site.seen) == [Step.HEARTBEAT]
        with watched(restored.url, site.seen) as (witness, told, database):
            witness.beat()
            assert told == [], "the step is accepted, the pause stays"
            with database.transaction() as connection:
                sql = "SELECT reason FROM pushjobs.pauses"
                assert list(connection.execute(text(sql)).scalars()) == ["restored"]


@pytest.mark.parametrize("signal", ["recovery.signal", "standby.signal"])
def test_a_recovery_and_a_promotion_are_noticed_without_a_witness(site: Site, signal: str) -> None:
    """12.5 Both begin a new timeline, which the database's own row does not name: nobody need have seen it before."""
    site.server.stop()
    (site.copy.postgres / signal).touch()
    settings = {"restore_command": "false", "hot_standby": "on"}
    with PostgresServer(site.copy, settings) as restored:
        if signal == "standby.signal":
            execute(restored.url, "SELECT pg_promote()")
        wait_for("it takes writes", lambda: not _is_in_recovery(restored.url))
        assert beat(restored.url, site.seen.with_name("nobody.json")) == [Step.TIMELINE]
        assert beat(restored.url, site.seen) == []


def test_a_crash_of_the_server_is_no_step_back(site: Site) -> None:
    """Killed and started again, the server has everything that was committed: nothing is held."""
    with psycopg.connect(site.server.url.replace("+psycopg", "")) as connection:
        # What was written and not committed may be lost, and is not counted.
        connection.execute("CREATE TABLE pushjobs.junk AS SELECT generate_series(1, 20000)")
        assert beat(site.server.url, site.seen) == []
        _kill(site.server)
        connection.close()
    site.server.start()
    assert beat(site.server.url, site.seen) == []


def test_a_move_to_another_server_is_noticed(site: Site) -> None:
    """12.5 All the data on a new server: held too, for nobody can tell that it is all; one word releases it."""
    dump = site.seen.with_name("all.dump")
    assert program("pg_dump", "--format=custom", f"--file={dump}", *_address(site.server)).returncode == 0
    site.server.stop()
    new = Installation(site.copy.path.with_name("c"))
    with PostgresServer(new) as moved:
        assert program("pg_restore", *_address(moved), str(dump)).returncode == 0
        assert beat(moved.url, site.seen) == [Step.SERVER]
        assert beat(moved.url, site.seen) == []


def _is_in_recovery(url: str) -> bool:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        [(answer,)] = connection.execute("SELECT pg_is_in_recovery()").fetchall()
        return bool(answer)


def _address(server: PostgresServer) -> list[str]:
    sockets = server.url.rpartition("host=")[2]
    return ["--host", sockets, "--username", "pushjobs", "--dbname", "pushjobs"]


def _kill(server: PostgresServer) -> None:

    pid = server.pid
    assert pid is not None
    os.kill(pid, SIGKILL)
    wait_for("it is gone", lambda: not server.is_running)
