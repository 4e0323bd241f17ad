"""The process that an installation for tests lives in: `python -m pushjobs.testing.process`, started by nobody else.

Its parent speaks to it by standard input: a line, and workers, beat and the HTTP door start beside the servers; its
end, and everything stops. It ends with the parent of whatever cause, so that a killed test run leaves nothing behind;
Ctrl-C does not reach it, for the order of the end is the parent's. It answers each with a line of JSON.

Nothing is kept: the directory is a temporary one, and the servers do without the disk.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping

from pushjobs import settings
from pushjobs.errors import PushJobsError
from pushjobs.local.directory import Installation
from pushjobs.local.processes import Ended
from pushjobs.local.servers import EmbeddedServers
from pushjobs.local.up import Up, UpOptions
from pushjobs.sandbox import SandboxOptions, SandboxProcess
from pushjobs.store import migrate

__all__ = ["APPID", "SECRET", "main"]

APPID, SECRET = "wxsandbox00000000", "sandbox-secret"
"""The app's, unless the settings name another."""

_IN_MEMORY = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


def main() -> None:
    """Run until standard input ends."""
    try:
        # What the workers find in their directory they take for the timetable and its campaigns: not the project's.
        with tempfile.TemporaryDirectory(prefix="pushjobs-tests-") as directory:
            os.chdir(directory)
            _run(Installation(directory))
    except PushJobsError as error:
        _say({"error": str(error)})
        sys.exit(1)


def _run(installation: Installation) -> None:
    given = settings.given(installation.path)
    appid, secret = given.require_credentials if given.wechat_appid else (APPID, SECRET)
    installation.ensure_keys()
    with (
        SandboxProcess(SandboxOptions(apps={appid: secret})) as sandbox,
        EmbeddedServers(installation, _IN_MEMORY) as servers,
    ):
        migrate.upgrade(servers.database_url)
        wechat = {"wechat_base_url": sandbox.base_url, "wechat_appid": appid, "wechat_secret": secret}
        addresses = {"database_url": servers.database_url, "redis_url": servers.redis_url}
        installation.publish(addresses | wechat)
        _say({"directory": str(installation.path), **addresses, **wechat})
        if not sys.stdin.readline():
            return
        callbacks = {f"callback_{name}": value for name, value in installation.callback_secrets().items()}
        environment = settings.environment() | {
            f"PUSHJOBS_{name.upper()}": value for name, value in (wechat | callbacks).items()
        }
        options = UpOptions(directory=installation.path, environment=environment, workers=1, http=0, flower=None)
        with Up(options, _report) as running:
            running.ready()
            installation.publish(addresses | wechat)  # `up` has written its own, which know nothing of the sandbox
            _say({"http_url": running.addresses["http"], **callbacks})
            sys.stdin.readline()
            # A drain would take three seconds of each test run, for jobs that nobody will ask about.
            running.supervisor.kill()


def _report(ended: Ended) -> None:
    print(f"{ended.name} ended with {ended.status}", file=sys.stderr)  # noqa: T201 - a program's standard error


def _say(answer: Mapping[str, str]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - how it answers


if __name__ == "__main__":
    main()
