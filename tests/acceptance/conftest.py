"""A whole installation in real processes, one a file of tests, and a sandbox beside it that outlives its crashes."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, sync_playwright

from pushjobs import clock, settings
from pushjobs.errors import Unreachable
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxProcess
from tests.acceptance.installation import Up, wait_for

TABLES = (
    "jobs, job_history, recipients, template_days, consents, settlements, minutes, totals, census, census_taken, "
    "pauses, paces, app_days, events, receipts, pushes, campaigns, runs, snapshots, audiences, audience_members"
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a screen: Debian's Chromium.

    Of one file only: while Playwright is open it runs an event loop in this thread, and no other test may have its own.
    """
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium is installed: apt-get install --no-install-recommends chromium fonts-noto-cjk")
    # As root it has no sandbox to be in; it opens pages of ours alone.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=options)
        yield running
        running.close()


@pytest.fixture(scope="module")
def rate() -> int:
    """Calls a second, unless a test file says otherwise."""
    return 500


@pytest.fixture(scope="module")
def workers() -> int:
    """Bulk processes, unless a test file says otherwise."""
    return 2


@pytest.fixture(scope="module")
def more_settings() -> dict[str, str]:
    """Settings beside the usual, if a test file says so."""
    return {}


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """Options of `up` beside the usual, if a test file says so."""
    return ["--no-http"]


@pytest.fixture(scope="module")
def wechat() -> Iterator[SandboxProcess]:
    """A sandbox of the test file's own."""
    with SandboxProcess() as running:
        yield running


@pytest.fixture(scope="module")
def up(
    tmp_path_factory: pytest.TempPathFactory,
    wechat: SandboxProcess,
    rate: int,
    workers: int,
    more_settings: dict[str, str],
    options: Sequence[str],
) -> Iterator[Up]:
    """A running installation that calls the sandbox; a test that stops it starts it again."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PUSHJOBS_")]:
            patch.delenv(name)
        for name, value in {
            "WECHAT_BASE_URL": wechat.base_url,
            "WECHAT_APPID": "wxsandbox00000000",
            "WECHAT_SECRET": "sandbox-secret",
            "RATE_PER_SECOND": str(rate),
            **more_settings,
        }.items():
            patch.setenv(f"PUSHJOBS_{name}", value)
        made = Up(tmp_path_factory.mktemp("up") / "pushjobs", dict(os.environ), workers, options)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def sandbox(wechat: SandboxProcess) -> SandboxClient:
    """Where everything is counted."""
    return wechat.client


@pytest.fixture
def push(up: Up, sandbox: SandboxClient) -> Iterator[Runtime]:
    """A runtime of application code, connected to the installation, which has no jobs and sends none."""
    made = Runtime(settings.load(up.directory))
    wait_for("its tables are empty", lambda: is_emptied(made))
    wait_for("the calls of the test before are over", lambda: is_quiet(sandbox))
    sandbox.reset()
    yield made
    made.close()


def is_emptied(made: Runtime) -> bool:
    """Empty the tables; False where a tick holds one and waits for another: of such two PostgreSQL ends one."""
    with suppress(Unreachable), made.database.transaction() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(f'pushjobs.{name}' for name in TABLES.split(', '))}")
        return True
    return False


def is_quiet(sandbox: SandboxClient) -> bool:
    """Whether nothing has arrived for longer than anybody holds a slot."""
    last = sandbox.summary().last_arrival
    return last is None or last < clock.now().timestamp() - 1.0
