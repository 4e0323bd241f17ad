"""The daily news to a great many readers, on this machine and without an account: `make demo-campaign`.

It starts everything, serves `feed.xml`, rehearses the campaign that `beat_schedule.py` declares, defines one like it
whose instant is the next minute, shows how it goes, and counts at the sandbox, which stands in for WeChat.
"""

import argparse
import os
import sys
import tempfile
import threading
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pushjobs import clock, settings
from pushjobs.cli.running import report
from pushjobs.cli.runs import show_rehearsal, show_run, watched
from pushjobs.cli.shown import show_pairs
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient

HERE = Path(__file__).parent
SOON = timedelta(seconds=10)
PATIENCE = 60.0
_pause = threading.Event().wait


class Quiet(SimpleHTTPRequestHandler):
    """Serves a directory and says nothing of it."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the standard library's own name
        """Say nothing."""


def main(readers: int, per_second: float) -> bool:
    """Run it; return whether every reader got the news once."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HERE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.forget_environment()
    os.environ["NEWS_FEED"] = f"http://127.0.0.1:{server.server_port}/feed.xml"
    os.environ["NEWS_READERS"] = str(readers)
    os.environ["PUSHJOBS_PRIVATE_FEEDS"] = "true"  # the feed is served on this machine
    os.environ["PUSHJOBS_RATE_PER_SECOND"] = str(per_second)
    os.chdir(HERE)  # where the workers find beat_schedule.py and audience.py
    with tempfile.TemporaryDirectory(prefix="pushjobs-news-") as directory:
        options = UpOptions(
            directory=Path(directory), environment=settings.environment(), http=None, flower=None, sandbox=True
        )
        print("starting PostgreSQL, Valkey, beat, workers and a WeChat sandbox")
        with Up(options, report) as running:
            running.ready()
            runtime = Runtime(settings.load(Path(directory)))
            try:
                return send(runtime, SandboxClient(running.addresses["sandbox"]), readers)
            finally:
                runtime.close()
                server.shutdown()


def send(runtime: Runtime, sandbox: SandboxClient, readers: int) -> bool:
    """Rehearse the declared campaign, run one like it, and count."""
    runtime.catalogue.sync()
    until = clock.monotonic() + PATIENCE
    while not (declared := [each for each in runtime.campaigns.list() if each.key == "daily-news"]):
        if clock.monotonic() > until:
            print("the workers did not take in beat_schedule.py", file=sys.stderr)
            return False
        _pause(0.2)
    [news] = declared
    print(f"\n{news.name}, declared in code, rehearsed:")
    show_rehearsal(runtime.campaigns.rehearse(news.key), runtime.zone)

    minute = (clock.now() + SOON + timedelta(minutes=1)).replace(second=0, microsecond=0)
    made = runtime.campaigns.add(
        "news-in-a-minute",
        name="马上",
        cron=f"{minute.minute} {minute.hour} {minute.day} {minute.month} *",
        zone="UTC",
        template_id=news.template_id,
        audience={"iterable": "audience:readers"},
        content=news.content,
    )
    print(f"\nthe same as {made.key}, at {minute.astimezone(runtime.zone):%H:%M:%S}:")
    while not (runs := runtime.campaigns.runs(made.key)):
        _pause(0.2)
    done = watched(runtime.campaigns, runs[0].run_no)
    show_run(done, runtime.zone)

    received = sandbox.summary()
    users = {each.touser for each in sandbox.all_received()}
    first = (received.first_arrival or 0.0) - minute.timestamp()
    took = (received.last_arrival or 0.0) - (received.first_arrival or 0.0)
    print("\ncounted at the sandbox:")
    show_pairs(
        [
            ("readers", f"{readers:,}"),
            ("messages accepted", f"{received.accepted:,}"),
            ("readers who got one", f"{len(users):,}"),
            ("sent twice", f"{received.repeats:,}"),
            ("first one after the instant", f"{first * 1000:,.0f} ms"),
            ("first to last", f"{took:,.1f} s, {received.accepted / max(took, 0.001):,.0f} a second"),
            ("most in a second", f"{received.peak_per_second:,}"),
        ]
    )
    return received.accepted == len(users) == readers and received.repeats == 0 and first >= 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=100_000, help="how many there are")
    parser.add_argument("--per-second", type=float, default=4000, help="how many calls a second there may be")
    given = parser.parse_args()
    sys.exit(0 if main(given.readers, given.per_second) else 1)
