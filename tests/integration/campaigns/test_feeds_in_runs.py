"""A run that says what its feed says newest: fetched once, a minute ahead, and stored before anything leaves."""

import os
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.domain.campaign import RunReason, RunState
from pushjobs.domain.job import JobState, Reason
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from tests.integration.campaigns.hands import begin, only_run, plan_at, readers
from tests.integration.hands import ask, claim, deliver, let_due

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>晨报</title><link>https://example.com/</link>
<item><guid>{number}</guid><title>要闻之{number}</title><link>https://example.com/{number}</link>
<description>一览无余</description><pubDate>Tue, 01 Dec 2026 0{number}:00:00 +0800</pubDate></item>
</channel></rss>"""


class Newspaper:
    """A feed that is served on this machine, and how often it was asked for."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "feed.xml"
        self.asked = 0
        self.url = ""
        self.print(1)

    def print(self, number: int) -> None:
        """Have a newest entry of this number."""
        self._path.write_text(FEED.format(number=number), encoding="utf-8")
        # The server tells its age in whole seconds.
        os.utime(self._path, (number * 3600, number * 3600))

    def burn(self) -> None:
        """Have none any more."""
        self._path.unlink()


@pytest.fixture
def newspaper(tmp_path: Path) -> Iterator[Newspaper]:
    """A feed, served."""
    made = Newspaper(tmp_path)

    class Counting(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked += 1
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=str(tmp_path)))
    made.url = f"http://127.0.0.1:{server.server_port}/feed.xml"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Feeds of this machine may be fetched."""
    return settings.model_copy(update={"private_feeds": True})


def content(newspaper: Newspaper, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - the feed's arguments
    """What says what the feed says."""
    data = {"thing1": "{title}", "thing2": "{summary}", "date3": "{published}"}
    return {"data": data, "feed": {"url": newspaper.url, **more}}


def go(runtime: Runtime) -> None:
    """Take the run to its opening, and send what may leave."""
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    let_due(runtime)
    deliver(runtime, claim(runtime))
    runtime.ticking.expand()
    runtime.ticking.tick()


def test_the_newest_entry_is_sent(
    sandbox: SandboxClient, runtime: Runtime, newspaper: Newspaper, tmp_path: Path
) -> None:
    """The feed is asked once a run, whatever ticks there are, and everybody is sent what it said then."""
    begin(runtime, tmp_path, readers(4), content=content(newspaper))
    go(runtime)
    assert newspaper.asked == 1
    assert {each.body["data"]["thing1"]["value"] for each in sandbox.all_received()} == {"要闻之1"}
    assert only_run(runtime).state is RunState.FINISHED


def test_nothing_new_sends_nothing(
    sandbox: SandboxClient, runtime: Runtime, newspaper: Newspaper, tmp_path: Path
) -> None:
    """A run whose newest entry went out with the one before is skipped and its jobs cancelled; the next one runs."""
    begin(runtime, tmp_path, readers(3), content=content(newspaper, skip_if_nothing_new=True))
    go(runtime)
    plan_at(runtime, clock.now() + timedelta(seconds=30))
    go(runtime)
    skipped, first = runtime.campaigns.runs("news")
    assert {first.state, skipped.state} == {RunState.FINISHED, RunState.SKIPPED}
    assert next(run for run in (first, skipped) if run.state is RunState.SKIPPED).reason is RunReason.NOTHING_NEW
    assert ask(runtime, "SELECT count(*) FROM pushjobs.jobs WHERE reason = 'nothing_new'") == [(3,)]
    newspaper.print(2)
    plan_at(runtime, clock.now() + timedelta(seconds=40))
    go(runtime)
    assert sandbox.summary().accepted == 6


def test_a_feed_that_is_gone_fails_the_run(
    sandbox: SandboxClient, runtime: Runtime, newspaper: Newspaper, tmp_path: Path
) -> None:
    """It is tried until the instant; then the run has failed and says why, and its jobs are refused with it."""
    begin(runtime, tmp_path, readers(3), content=content(newspaper))
    newspaper.burn()
    go(runtime)
    run = only_run(runtime)
    assert run.state is RunState.PREPARING
    assert run.note is not None
    assert "404" in run.note
    ask(runtime, "UPDATE pushjobs.runs SET instant = now(), begins_at = now(), fetch_again_at = now()")
    go(runtime)
    run = only_run(runtime)
    assert (run.state, run.reason) == (RunState.FAILED, RunReason.NO_CONTENT)
    assert [(each.state, each.reason, each.jobs) for each in run.counts] == [(JobState.REFUSED, Reason.NO_CONTENT, 3)]
    assert sandbox.summary().received == 0


def test_a_feed_in_the_house_is_not_read_unasked(
    environment: dict[str, str], runtime: Runtime, newspaper: Newspaper, tmp_path: Path
) -> None:
    """Unless the installation allows it, a feed at a private address is not fetched: the run says what to set."""
    assert environment
    runtime.ticking._opening._allow_private = False
    begin(runtime, tmp_path, readers(1), content=content(newspaper))
    go(runtime)
    assert newspaper.asked == 0
    note = only_run(runtime).note
    assert note is not None
    assert "PUSHJOBS_PRIVATE_FEEDS" in note
