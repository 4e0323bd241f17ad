"""The timetable against the workers' own Celery: what beat ticks is there, and does what it says."""

import subprocess
import sys

from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.integration.hands import ask

REGISTERED = """
from beat_schedule import TICKS
from workers.app import app
app.loader.import_default_modules()
print(*(tick["task"] for tick in TICKS.values() if tick["task"] not in app.tasks))
"""
REFRESH = """
from workers.tasks.upkeep import refresh
refresh()
"""


def run(code: str, environment: dict[str, str]) -> str:
    """Run code in a process with a worker's environment; return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_every_tick_s_task_is_there(environment: dict[str, str]) -> None:
    """No entry of the timetable names a task that no worker has."""
    assert run(REGISTERED, environment) == ""


def test_the_refresh_task_reads_the_catalogue(
    sandbox: SandboxClient, environment: dict[str, str], runtime: Runtime
) -> None:
    """The nightly task, run as a worker runs it, reads the templates of an app whose hour has come."""
    assert sandbox is not None
    runtime.catalogue.sync()
    ask(runtime, "UPDATE pushjobs.apps SET templates_synced_at = now() - interval '25 h'")
    ask(runtime, "UPDATE pushjobs.templates SET title = 'as it was'")
    run(REFRESH, environment)
    assert ask(runtime, "SELECT count(*) FROM pushjobs.templates WHERE title = 'as it was'") == [(0,)]
