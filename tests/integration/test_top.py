"""`pushjobs top` on a real database: what they read, of whom, and when it cannot be read."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from pushjobs import clock
from pushjobs.cli.top import _Reader
from pushjobs.errors import Unreachable
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from pushjobs.store import census
from tests.conftest import APPID
from tests.integration.campaigns.hands import audience, plan_at, readers
from tests.integration.commands import Run, runner
from tests.integration.hands import claim, deliver, schedule

TEXTS = {"thing1": "要闻", "thing2": "今日要闻", "date3": "2026年12月1日"}


@pytest.fixture
def run(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], worker: Runtime
) -> Run:
    """Runs a command on the runtime's database; returns status, output, errors."""
    assert worker is not None
    return runner(environment, monkeypatch, capfd)


def count(runtime: Runtime) -> None:
    """Count what is scheduled, as a tick does."""
    with runtime.database.transaction() as connection:
        census.take(connection)


def news(runtime: Runtime, place: Path, cron: str) -> None:
    """Define a campaign for five readers."""
    runtime.campaigns.add(
        "news", cron=cron, template_id=DAILY_NEWS, audience=audience(place, readers(5)), content={"data": TEXTS}
    )


def test_top_shows_what_happened_and_what_is_to_come(run: Run, worker: Runtime, tmp_path: Path) -> None:
    """One frame has what was sent, the pause with its note, the run under way and what is due; JSON has the same."""
    schedule(worker, 3)
    deliver(worker, claim(worker))
    worker.operations.pause(template_id=DAILY_NEWS, note="新文案")
    news(worker, tmp_path, "0 8 29 2 *")
    plan_at(worker, clock.now() - timedelta(seconds=1))
    worker.ticking.expand()
    schedule(worker, 7, time=(clock.now() + timedelta(minutes=5)).isoformat())
    count(worker)
    status, out, err = run("top", "--once")
    assert (status, err) == (0, "")
    for said in ("3 in this", APPID, "of", f"template {DAILY_NEWS}", "新文案", "news (run 1)", "0 of 5", "due", " 7"):
        assert said in out, said
    found = json.loads(run("top", "--once", "--json")[1])
    assert (
        found["now"]["minutes"][-1]["became"]["deliver"] + found["now"]["minutes"][-2]["became"].get("deliver", 0) == 3
    )
    assert found["runs"][0]["planned"] == 5
    assert sum(each["jobs"] for each in found["coming"]["due"]) >= 7
    assert "oReader" not in out


def test_top_is_of_the_app_that_is_named(run: Run, worker: Runtime) -> None:
    """With --appid only that app is shown, and of others nothing."""
    assert worker.catalogue.app.app_no
    [app] = json.loads(run("top", "--once", "--json", "--appid", APPID)[1])["now"]["apps"]
    assert app["appid"] == APPID
    assert json.loads(run("top", "--once", "--json", "--appid", "wxother")[1])["now"]["apps"] == []


def test_top_goes_on_while_the_database_is_away(settings: Settings) -> None:
    """What was read last stays on the screen with the reason; where nothing ever was, that is a fault."""
    url = make_url(settings.require_database_url)
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    runtime, another = Runtime(settings), Runtime(settings)
    reader = _Reader(runtime)
    before = reader.read()
    assert before.trouble is None
    with engine.connect() as connection:
        try:
            connection.execute(text(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false'))
            ending = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(ending, {"name": url.database})
            kept = reader.read()
            assert kept.trouble
            assert kept.now == before.now
            with pytest.raises(Unreachable):
                _Reader(another).read()
        finally:
            connection.execute(text(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true'))
    assert reader.read().trouble is None
    runtime.close()
    another.close()
