"""The page of events: what happened as the records say, what their fields mean as stands here.

A field's name means one thing, whichever event has it; a test compares the names with the records'.
"""  # noqa: INP001 - a script

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from pushjobs.domain.events import Event
from pushjobs.telemetry import logs

__all__ = ["FIELDS", "lines"]

FIELDS = {
    "address": "who called, as trusted proxies tell it",
    "alerts": "of how many alerts there is to tell",
    "app_no": "the number of the app in SQL",
    "appid": "the app's id at WeChat",
    "as_of": "how far the database is, in the words of the sign",
    "attempts": "how often it was tried so far",
    "callbacks": "how many callbacks",
    "cancelled": "how many of the jobs waited, and were cancelled",
    "client": "the name of a client of the doors; null where none was proven",
    "confirmed": "how many jobs in doubt are sent by a receipt",
    "consents": "how many consents given and withdrawn",
    "contents": "how many contents",
    "dead": "how many of them are given up",
    "detail": "how what is wrong was when it was seen",
    "fault": "what went wrong: a fault's own name, or words without a value",
    "field": "which argument was refused",
    "given_back": "how many jobs nobody had begun, which wait again",
    "host": "the host that is called from now on, or that takes no alerts",
    "in_doubt": "how many jobs were in mid-call",
    "is_new": "whether the token is another than the one that failed",
    "items": "how many things were told",
    "job_id": "the job's number",
    "jobs": "how many jobs; of `jobs_pruned`: of each state",
    "key": "the campaign's key",
    "kind": "what is wrong, by its name in [be alerted](../how-to/be-alerted.md)",
    "lane": "`urgent` or `bulk`",
    "last_seen": "how far it was seen, in the same words",
    "late": "how many answers came when their jobs had moved on",
    "left": "how many receipts no job fits, and none will",
    "method": "of the HTTP request",
    "milliseconds": "from the request's head to the answer's end",
    "moves": "how many jobs went each way of [the table](lifecycle.md)",
    "name": "the audience's name",
    "need": "why WeChat was asked",
    "outcomes": "how many outcomes of jobs",
    "pushes": "how many callbacks were to be forwarded",
    "reason": "why; for a job as in [the table of reasons](lifecycle.md)",
    "receipts": "how many receipts found their jobs",
    "recipients": "how many users it has",
    "rejected": "how many of its rows are no recipients",
    "request_id": "the HTTP request that was being answered, in whichever event it happened",
    "requests": "how many requests",
    "route": "the address as it is documented, never as it was written; null for one that is none",
    "rule": "what is allowed instead",
    "run_no": "the number of the campaign's run",
    "runs": "how many runs",
    "scheme": "`http` or `https`",
    "seconds": "from the slice's admission to its settlement",
    "state": "what it is now",
    "status": "of the HTTP answer; 0: nobody waited for it any more",
    "step": "the sign by which it was noticed",
    "subject": "of what: a template, a lane, a campaign, a client; or empty",
    "template_no": "the number of the template in SQL; null: the whole app",
    "templates": "how many templates it lists",
    "waiting": "how many receipts no job fits yet",
    "why": "in words",
}
"""By name, in the order of the alphabet."""


def lines(table: Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]) -> list[str]:
    """Return the page."""
    kinds = sorted(get_args(Event), key=logs.name)
    rows = [(f"`{logs.name(kind)}`", " or ".join(logs.levels(kind)), _fields(kind), _words(kind)) for kind in kinds]
    return [
        "One line an event, to standard error: `event` is one of these names and never changes, `level` and",
        "`timestamp` (UTC) are on every line, and `request_id` where it happened for an HTTP request. No line holds an",
        "open id, a content or a secret. A slice of jobs in which all went well is `debug`, so that a quiet log says",
        "that nothing is wrong; `PUSHJOBS_LOG_LEVEL` and `PUSHJOBS_LOG_FORMAT` are among the [settings](settings.md).",
        "",
        "Lines of libraries, Celery's among them, have the same form and a field `logger`; Celery's of a task have its",
        "`task` and `task_id`, never its arguments. Libraries are heard from warnings on, Celery from its",
        "`--loglevel` on. `process_broke` and `thread_broke` (critical) are ends that nobody",
        "foresaw, with the traceback in `exception`. The sandbox, PostgreSQL and Valkey write as they do.",
        "",
        *table(("event", "level", "fields", "what happened"), rows),
        "",
        "Two levels: the first where all went well.",
        "",
        "## Fields",
        "",
        *table(("field", "meaning"), [(f"`{name}`", words) for name, words in FIELDS.items()]),
    ]


def _fields(kind: type) -> str:
    return ", ".join(f"`{each.name}`" for each in dataclasses.fields(kind))


def _words(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())
