"""How long each page of the console takes among ten million jobs.

Real servers, the HTTP doors as a process of their own, and a browser without a script that opens each page and each
kind of filter, those that find nothing among them. The jobs are copies in mixed states, of few large and some rare
templates; what is rare is what no index tells.
"""

import base64
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import httpx

from benchmarks.figure import Figure, Line, Values
from pushjobs import clock, settings
from pushjobs.clients import NewKey
from pushjobs.http.console.pages import PAGES
from pushjobs.local.directory import Installation
from pushjobs.local.servers import EmbeddedServers
from pushjobs.runtime import Runtime
from pushjobs.store import census, migrate
from pushjobs.store.tables import jobs

__all__ = ["CONSOLE"]

_MILLION = 1_000_000
_TIMES = 20
_JOBS, _TARGET_SECONDS = 10 * _MILLION, 0.200

# One in a thousand is of a rare template, one in a hundred thousand of a very rare one; a run has the last million.
_FILL = """
INSERT INTO pushjobs.jobs (app_no, template_no, run_no, lane, state, on_quota, release_no, attempts, planned_at, due_at,
                           expires_at, created_at, closed_at, called_at, recipient, sealed, reference, reason, errcode)
SELECT app_no, template_no + CASE WHEN n % 99991 = 0 THEN 5 WHEN n % 997 = 0 THEN 4 ELSE n % 4 END,
       CASE WHEN n > {run_from} THEN 1 ELSE 0 END,
       (CASE WHEN n % 10 = 0 THEN 'urgent' ELSE 'bulk' END)::pushjobs.lane, state, on_quota, 1,
       CASE WHEN state = 'scheduled' THEN 0 ELSE 1 END, moment, moment, moment + interval '2 days',
       now() - interval '10 days' + n * interval '50 ms',
       CASE WHEN state <> 'scheduled' THEN moment END,
       CASE WHEN state NOT IN ('scheduled', 'cancelled') THEN moment END,
       decode(lpad(to_hex(n % 1000003), 32, '0'), 'hex'), sealed, CASE WHEN n % 5 = 0 THEN 'order-' || n / 10 END,
       CASE state WHEN 'dead' THEN 'attempts_used_up' WHEN 'refused' THEN 'no_consent' WHEN 'cancelled' THEN 'requested'
                  WHEN 'in_doubt' THEN 'unknown_outcome' END,
       CASE state WHEN 'dead' THEN -1 WHEN 'refused' THEN 43101 END
  FROM (SELECT app_no, template_no, on_quota, sealed FROM pushjobs.jobs ORDER BY id LIMIT 1) AS first,
       generate_series({first}, {last}) AS n,
       LATERAL (SELECT (CASE WHEN n % 100 < 60 THEN 'sent' WHEN n % 100 < 90 THEN 'scheduled' WHEN n % 100 < 95
                             THEN 'refused' WHEN n % 100 < 97 THEN 'dead' WHEN n % 100 = 97 THEN 'cancelled'
                             WHEN n % 100 = 98 THEN 'in_doubt' ELSE 'expired' END)::pushjobs.job_state AS state) AS s,
       LATERAL (SELECT CASE WHEN state = 'scheduled' THEN now() + interval '1 day' + n * interval '20 ms'
                            ELSE now() - interval '9 days' + n * interval '70 ms' END AS moment) AS m"""
_RUN = """
INSERT INTO pushjobs.runs (campaign_no, app_no, template_no, instant, begins_at, state, policies, sealed, recipients,
                           first_job, last_job, expanded, expanded_at, counted_at, counts)
SELECT campaign_no, app_no, template_no, now(), now(), 'open', policies, sealed, %(count)s, %(first)s, %(last)s,
       %(count)s, now(), now(), '[{"state": "sent", "reason": null, "jobs": 600000}]' FROM pushjobs.campaigns"""

# A day of every minute, each template in both lanes, each way in three steps of lateness: what pages add up.
_MINUTES = """
INSERT INTO pushjobs.minutes (minute, app_no, lane, transition, reason, errcode, step, template_no, jobs, late)
SELECT date_trunc('minute', now()) - make_interval(mins => m), app_no, lane, transition, '', 0, step, template_no, 9, 1
  FROM generate_series(1, 1440) AS m, pushjobs.templates, unnest(ARRAY['urgent', 'bulk']::pushjobs.lane[]) AS lane,
       unnest(ARRAY['deliver', 'reject', 'defer']) AS transition, generate_series(1, 3) AS step"""

_RARE, _VERY_RARE = "tpl4", "tpl5"
_NONE = {"since": "2001-01-01 00:00:00", "until": "2001-01-02 00:00:00"}
_QUERIES: dict[str, dict[str, str]] = {
    "the newest": {},
    "scheduled": {"state": "scheduled"},
    "scheduled, of a template": {"state": "scheduled", "template": "tpl2"},
    "scheduled, of a very rare one": {"state": "scheduled", "template": _VERY_RARE},
    "scheduled, due between": {"state": "scheduled", "since": "2026-01-01 00:00:00", "until": "2099-01-01 00:00:00"},
    "sent": {"state": "sent"},
    "sent, of a rare template": {"state": "sent", "template": _RARE},
    "sent, of a very rare one": {"state": "sent", "template": _VERY_RARE},
    "sent, closed between, none": {"state": "sent", **_NONE},
    "dead, of a template, for a reason": {"state": "dead", "template": "tpl1", "reason": "attempts_used_up"},
    "in doubt, of a very rare template": {"state": "in_doubt", "template": _VERY_RARE},
    "released": {"state": "released"},
    "any state, of a very rare template": {"template": _VERY_RARE},
    "any state, closed or due between, none": _NONE,
    "of a user": {"recipient": "{user}"},
    "of a reference": {"reference": "order-{last}"},
    "of a run": {"run": "1"},
    "of a run, dead, of a very rare template": {"run": "1", "state": "dead", "template": _VERY_RARE},
}
_CHOICES = {
    "5,000 dead jobs": {"act": "replay", "state": "dead"},
    "all of a very rare template": {"act": "cancel", "template": _VERY_RARE},
}


def _measure(directory: Path) -> Values:
    # What is filled in need not outlive this; reading is the same.
    quick = {"fsync": "off", "synchronous_commit": "off", "max_wal_size": "8GB"}
    try:
        with EmbeddedServers(Installation(directory), quick) as running:
            _set_environment(running)
            migrate.upgrade(running.database_url)
            made = Runtime(settings.given(directory))
            try:
                _fill(made, _JOBS)
                key = made.clients.add("bench", rights=("read", "write", "operate", "contents"))
                with _doors() as address, Browser(address) as browser:
                    browser.sign_in(key)
                    pages = _open(made, browser)
            finally:
                made.close()
    finally:
        settings.forget_environment()
    medians = {name: statistics.median(seconds) for name, seconds in pages.items()}
    return {**medians, "median": max(medians.values()), "worst": max(max(seconds) for seconds in pages.values())}


class Browser:
    """One without a script: it opens pages and posts their forms."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=60, follow_redirects=True, trust_env=False)
        self._headers = {"Origin": address, "Content-Type": "application/x-www-form-urlencoded"}
        self._proof = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def sign_in(self, key: NewKey) -> None:
        """Sign in."""
        self.get("/console/sign-in")
        self.post("/console/sign-in", {"id": key.client.id, "key": key.key})

    def get(self, path: str) -> None:
        """Open a page."""
        self._seen(self._http.get(path))

    def post(self, path: str, form: Mapping[str, str]) -> None:
        """Post a form."""
        self._seen(self._http.post(path, content=urlencode({**form, "proof": self._proof}), headers=self._headers))

    def _seen(self, answer: httpx.Response) -> None:
        if answer.status_code != httpx.codes.OK:
            raise SystemExit(f"{answer.url} answered {answer.status_code}: this run is worth nothing")
        self._proof = re.findall('name="proof" value="([^"]*)"', answer.text)[-1]


def _set_environment(running: EmbeddedServers) -> None:
    values = {
        "DIRECTORY": str(running.installation.path),
        "DATABASE_URL": running.database_url,
        "REDIS_URL": running.redis_url,
        "WECHAT_APPID": "wxbench0000000000",
        "WECHAT_SECRET": "nobody-asks",
        "ENCRYPTION_KEYS": base64.b64encode(b"e" * 32).decode(),
        "LOOKUP_KEY": base64.b64encode(b"l" * 32).decode(),
    }
    os.environ.update({f"PUSHJOBS_{name}": value for name, value in values.items()})


@contextmanager
def _doors() -> Iterator[str]:
    """Start the HTTP doors as a process; give their address when they answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, "-m", "pushjobs.http", "--socket", str(number)]
        process = subprocess.Popen(command, pass_fds=[number], stderr=subprocess.DEVNULL)
    address, pause = f"http://127.0.0.1:{port}", threading.Event()
    try:
        while True:
            with suppress(httpx.TransportError):
                httpx.get(f"{address}/healthz", trust_env=False)
                break
            pause.wait(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def _open(made: Runtime, browser: Browser) -> dict[str, list[float]]:
    """Time every page that has an address of its own, every kind of filter, jobs in each state, and confirmations."""
    paths = {page.path: page.path for page in PAGES if page.method == "GET" and "{" not in page.path}
    paths |= {
        "What goes out at 08:00": "/console/schedule/at?at=08:00",
        "A campaign": "/console/campaigns/news",
        "A run of a million": "/console/runs/1",
        "A template": "/console/templates/tpl1",
    }
    last = made.producer.find(limit=1)[0].id
    for name, query in _QUERIES.items():
        filled = {key: value.format(last=last // 20, user=f"{4321:032x}") for key, value in query.items()}
        paths[f"Jobs: {name}"] = f"/console/jobs?{urlencode(filled)}"
    for state in ("scheduled", "dead", "in_doubt", "sent"):
        paths[f"Job: {state}, the newest"] = f"/console/jobs/{made.producer.find(state=state, limit=1)[0].id}"
        paths[f"Job: {state}, an old one"] = (
            f"/console/jobs/{made.producer.find(state=state, limit=1, before=300)[0].id}"
        )
    rows = {name: _timed(partial(browser.get, path)) for name, path in paths.items()}
    for name, form in _CHOICES.items():
        rows[f"Confirm: {name}"] = _timed(partial(browser.post, "/console/choose", {"all": "1", **form}))
    return rows


def _timed(open_page: Callable[[], None]) -> list[float]:
    seconds = []
    for _ in range(_TIMES):
        begun = clock.monotonic()
        open_page()
        seconds.append(clock.monotonic() - begun)
    return seconds


def _fill(made: Runtime, count: int) -> None:
    for number in range(6):
        words = {"data": {"thing1": "今日要闻"}, "time": "2099-01-01 08:00:00"}
        made.producer.send(touser="oReader0000000", template_id=f"tpl{number}", **words)
    audience = made.settings.directory / "audience.csv"
    audience.write_text("touser\noReader0000000\n", encoding="utf-8")
    made.campaigns.add(
        "news",
        cron="0 8 * * *",
        template_id="tpl0",
        audience={"file": str(audience)},
        content={"data": {"thing1": "今日要闻"}},
    )
    step = 500_000
    with made.database.transaction() as connection:
        for index in jobs.indexes:
            index.drop(connection)
    for first in range(1, count + 1, step):
        last = min(count, first + step - 1)
        with made.database.transaction() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            filled = _FILL.format(first=first, last=last, run_from=count - _MILLION)
            connection.exec_driver_sql(filled.replace("%", "%%"))
    with made.database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
        for index in jobs.indexes:
            index.create(connection)
    with made.database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("ANALYZE pushjobs.jobs, pushjobs.templates")
        newest = connection.exec_driver_sql("SELECT max(id) FROM pushjobs.jobs").scalar_one()
        bounds = {"first": newest - min(count, _MILLION) + 1, "last": newest, "count": min(count, _MILLION)}
        connection.exec_driver_sql(_RUN, bounds)
        connection.exec_driver_sql(_MINUTES)
        connection.exec_driver_sql("ANALYZE pushjobs.minutes, pushjobs.runs")
    with made.database.transaction() as connection:
        census.take(connection)


CONSOLE = Figure(
    name="console",
    about=f"""{_JOBS:,} jobs in all states, of four large templates, a rare one (one job in a thousand) and a very rare
one (a hundred in all); every page and each kind of filter is opened {_TIMES} times through a process of the HTTP doors.
The file of results has each page's median.""",
    measure=_measure,
    runs=1,
    lines=(
        Line(key="median", words="the console's slowest page, median", unit="{:.3f} s", at_most=_TARGET_SECONDS),
        Line(key="worst", words="any page, the worst of all", unit="{:.3f} s"),
    ),
)
