"""The embedded servers: their life, their data, and what a kill leaves."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
import redis

from pushjobs.errors import NotRunning, Unreachable
from pushjobs.local import daemon
from pushjobs.local.directory import Installation
from pushjobs.local.processes import Ended
from pushjobs.local.servers import EmbeddedServers
from pushjobs.local.valkey import ValkeyServer

START_AND_DIE = textwrap.dedent("""
    import os, signal, sys
    from pushjobs.local.directory import Installation
    from pushjobs.local.servers import EmbeddedServers
    servers = EmbeddedServers(Installation(sys.argv[1]))
    servers.start()
    print(servers.postgres.pid, servers.valkey.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
""")

WITHOUT_NAMESPACES = textwrap.dedent("""
    import ctypes, os, sys
    asks, answers = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        assert ctypes.CDLL(None).unshare(0x10000000) == 0
        os.write(asks[1], b"?"), os.read(answers[0], 1)
        os.setgid(0), os.setuid(0)
        open("/proc/sys/user/max_user_namespaces", "w").write("0")
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    os.read(asks[0], 1)
    for kind in "ug":
        open(f"/proc/{child}/{kind}id_map", "w").write("0 0 65536")
    os.write(answers[1], b"!")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")

START_AND_STOP = textwrap.dedent("""
    import sys
    from pushjobs.local.directory import Installation
    from pushjobs.local.postgres import PostgresServer
    for _ in range(2):
        with PostgresServer(Installation(sys.argv[1])) as server:
            assert server.is_running
""")


@pytest.fixture
def own() -> Iterator[EmbeddedServers]:
    """Both servers, for one test that ends them."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedServers(Installation(directory)) as running:
        yield running


def connect(servers: EmbeddedServers) -> psycopg.Connection:
    return psycopg.connect(servers.database_url.replace("+psycopg", ""), autocommit=True)


def queue(servers: EmbeddedServers) -> redis.Redis:
    return redis.Redis.from_url(servers.redis_url, decode_responses=True)


def shown(servers: EmbeddedServers, name: str) -> str:
    with connect(servers) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def test_postgres_listens_on_its_socket_only(servers: EmbeddedServers) -> None:
    """Nothing listens on a TCP port, and every commit reaches the disk."""
    assert shown(servers, "listen_addresses") == ""
    assert shown(servers, "fsync") == "on"
    assert shown(servers, "server_encoding") == "UTF8"
    assert shown(servers, "TimeZone") == "UTC"


def test_valkey_listens_on_its_socket_only(servers: EmbeddedServers) -> None:
    """No TCP port, an append-only file, nothing evicted."""
    with closing(queue(servers)) as client:
        settings = client.config_get("port", "appendonly", "appendfsync", "maxmemory-policy", "unixsocketperm")
    assert settings == {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "unixsocketperm": "700",
    }


def test_a_terminals_signals_do_not_reach_the_servers(servers: EmbeddedServers) -> None:
    """Both run in sessions of their own."""
    assert servers.postgres.pid is not None
    assert servers.valkey.pid is not None
    assert os.getsid(0) not in {os.getsid(servers.postgres.pid), os.getsid(servers.valkey.pid)}


def test_starting_twice_is_starting_once(servers: EmbeddedServers) -> None:
    """A second start, from the same or from another object, finds the running servers."""
    before = servers.postgres.pid, servers.valkey.pid
    servers.start()
    EmbeddedServers(servers.installation).start()
    assert (servers.postgres.pid, servers.valkey.pid) == before


def test_data_survives_a_restart(own: EmbeddedServers) -> None:
    """What was written before `stop` is there after `start`, at the same addresses, with other settings if asked."""
    addresses = own.database_url, own.redis_url
    with connect(own) as connection, closing(queue(own)) as client:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        client.set("kept", "42")
    own.stop()
    assert not own.postgres.is_running
    assert not own.valkey.is_running
    with EmbeddedServers(own.installation, {"work_mem": "5MB"}) as again:
        assert (again.database_url, again.redis_url) == addresses
        assert shown(again, "work_mem") == "5MB"
        with connect(again) as connection, closing(queue(again)) as client:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
            assert client.get("kept") == "42"


def test_orphans_are_adopted(installation: Installation) -> None:
    """The servers of a killed process go on, and the next start takes them over."""
    killed = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, str(installation.path)], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with EmbeddedServers(installation) as servers:
        assert f"{servers.postgres.pid} {servers.valkey.pid}\n" == killed.stdout
        with connect(servers) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not servers.postgres.is_running
    assert not servers.valkey.is_running


def test_killed_servers_come_back_with_their_data(own: EmbeddedServers) -> None:
    """A SIGKILL of both loses neither a commit nor what the append-only file has."""
    with connect(own) as connection, closing(queue(own)) as client:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        client.rpush("queue", *range(1000))
        client.waitaof(1, 0, 5000)
    ended: list[Ended] = []
    with own.kept(ended.append):
        for server in (own.postgres, own.valkey):
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
        assert daemon.wait_until(lambda: len(ended) == 2 and own.postgres.is_running and own.valkey.is_running, 10)
    own.start()
    with connect(own) as connection, closing(queue(own)) as client:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        assert client.llen("queue") == 1000


def test_a_hanging_orphan_is_ended(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that runs but says nothing is replaced."""
    monkeypatch.setattr(daemon, "_SILENCE_SECONDS", 0.5)
    with ValkeyServer(installation) as hanging:
        before = hanging.pid
        assert before is not None
        os.kill(before, signal.SIGSTOP)
        with ValkeyServer(installation) as server:
            assert server.pid not in {None, before}


def test_a_stale_pid_file_harms_nobody(installation: Installation) -> None:
    """A process that has got a dead server's number is left alone, and does not stand in for it."""
    server = ValkeyServer(installation)
    server.start()
    server.stop()
    (installation.valkey / "valkey.pid").write_text(str(os.getpid()))
    assert not server.is_running
    server.stop()
    with server:
        assert server.pid != os.getpid()


def test_a_failed_start_names_the_log(installation: Installation) -> None:
    """A server that ends instead of answering is reported with the place that says why."""
    installation.valkey.mkdir()
    (installation.valkey / "appendonlydir").write_text("in the way")
    with pytest.raises(NotRunning, match=r"Valkey did not start: .*valkey\.log"):
        ValkeyServer(installation).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up being root")
@pytest.mark.skipif(
    not all(directory.stat().st_mode & stat.S_IXOTH for directory in Path(sys.prefix).parents),
    reason="no other account can reach PostgreSQL's programs here, in a private home",
)
def test_root_without_namespaces_borrows_an_account(tmp_path: Path, cleanup: ExitStack) -> None:
    """Where user namespaces are forbidden, PostgreSQL runs as `nobody`, and its parent directories stay closed."""
    installation = Installation(tmp_path / "closed")
    script = [sys.executable, "-c", WITHOUT_NAMESPACES, "-c", START_AND_STOP, str(installation.path)]
    done = cleanup.enter_context(subprocess.Popen(script, stderr=subprocess.PIPE))
    assert done.stderr is not None
    errors = done.stderr.read().decode()
    assert done.wait() == 0, errors
    assert installation.postgres.stat().st_uid != 0
    assert installation.path.stat().st_mode & 0o777 == 0o700


def test_a_flush_forgets_everything_or_says_why_not(tmp_path: Path) -> None:
    """FLUSHALL; and with nobody there, Unreachable."""
    with ValkeyServer(Installation(tmp_path)) as own, redis.Redis.from_url(own.url) as connection:
        connection.set("key", "value")
        own.flush()
        assert connection.dbsize() == 0
    with pytest.raises(Unreachable):
        own.flush()
