"""Write the pages of docs/reference that can be read off the code: `make docs`.

Prose about facts drifts; these pages cannot, because a test compares them with what stands here. Refuses to know a
fact of its own: bounds, codes, states and waits come from the modules that obey them.
"""  # noqa: INP001 - a script

import ast
import inspect
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, assert_never

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from docs import commands, coverage, http_api, log_lines, proofs, python_api, redis_keys, tables
from pushjobs.app_settings import AppSettings
from pushjobs.delivery.admission import Admitted
from pushjobs.delivery.calling import Answer
from pushjobs.delivery.charging import Charge
from pushjobs.delivery.settle import move_for
from pushjobs.domain.backoff import MAX_ATTEMPTS
from pushjobs.domain.job import JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition, sources, target
from pushjobs.domain.message import Content, Message
from pushjobs.domain.outcome import (
    DayOver,
    Fatal,
    Outcome,
    Refused,
    Retry,
    Sent,
    SlowDown,
    TemplateFault,
    Token,
    Unknown,
)
from pushjobs.figures import FIGURES
from pushjobs.pace import Slot
from pushjobs.settings import LEASE_SECONDS, Settings
from pushjobs.wechat import fields
from pushjobs.wechat.errcodes import CALL_ERRCODES, ERRCODES, SOURCES

__all__ = ["PAGES", "REFERENCE"]

REFERENCE = Path(__file__).parent / "reference"

_NOTE = "<!-- Written by docs/generate.py from the code: change that, then run `make docs`. -->"


def settings_page() -> str:
    """Every environment variable, its default and its bounds."""
    rows = {
        name: (f"`PUSHJOBS_{name.upper()}`", _default(field), _bounds(field), field.description or "")
        for name, field in Settings.model_fields.items()
    }
    of_apps = AppSettings.model_fields.keys()
    return _page(
        "Settings",
        "Environment variables. An empty one counts as unset. A wrong one ends the process with a line that names the",
        "variable and not its value. What is secret is better kept in files: see `PUSHJOBS_SECRETS_DIR`.",
        "",
        *_table(("variable", "default", "takes", "meaning"), [rows[name] for name in rows if name not in of_apps]),
        "",
        "## Of the app",
        "",
        "These are the environment's app's, the one that is meant where none is named. [Other",
        "apps](../how-to/send-for-several-apps.md) have their own, said to `pushjobs app`, with the same defaults.",
        "",
        *_table(("variable", "default", "takes", "meaning"), [rows[name] for name in of_apps]),
        "",
        "What is unset is filled from two files below the directory, where they are: `addresses.json`, which holds",
        "the addresses of what `pushjobs up` runs as long as it runs, and `keys.json`, the keys it made at its first",
        "start. Those of WeChat go together: set one, and none of them is taken from a file.",
        "",
        f"Not a setting: a worker may hold a job for {LEASE_SECONDS:g} s, its lease. The longest call follows from it.",
    )


def lifecycle_page() -> str:
    """Every state of a job, and the one table of transitions between them."""
    arrows = [f"    {source} --> {target(each)} : {each}" for each in Transition for source in sources(each)]
    closing = [f"    {state} --> [*]" for state in JobState if state.is_final]
    words = _member_docs(Transition)
    rows = [(f"`{each}`", ", ".join(sources(each)), target(each), words[each.name]) for each in Transition]
    return _page(
        "The life of a job, as a table",
        "`pushjobs.domain.lifecycle` holds this table; every statement that changes a state takes its states from",
        "there. What does not match changes nothing. How it works is told in",
        "[life of a job](../explanation/life-of-a-job.md).",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {JobState.SCHEDULED} : accept",
        *arrows,
        *closing,
        "```",
        "",
        *_table(("transition", "from", "to", "when"), rows),
        "",
        "A job that was published by its maker begins as `released`.",
        "",
        "## Reasons",
        "",
        "What a state other than the happy path's carries as its `reason`, and what the history says:",
        "",
        ", ".join(f"`{reason}`" for reason in Reason) + ".",
    )


def errcodes_page() -> str:
    """WeChat's result codes, what each means here, and what becomes of the job."""
    codes = [(str(row.code), row.meaning, _named(row.outcome), " ".join(row.source)) for row in ERRCODES.values()]
    others = [(str(row.code), row.meaning, " ".join(row.source)) for row in CALL_ERRCODES.values()]
    pages = [(key, where) for key, where in SOURCES.items()]
    return _page(
        "WeChat's answers",
        f"`pushjobs.wechat.errcodes` is this table, {len(ERRCODES)} codes. A code that is not in it refuses the job",
        f"(`{Reason.UNLISTED_CODE}`); nothing unlisted is ever sent again. `0` is *sent*.",
        "",
        "## What an answer makes of its job",
        "",
        "The waits are those after a first attempt. A wait never goes beyond the job's deadline. Where it is the app",
        "that must wait, the job keeps its place in the queue.",
        "",
        *_table(("outcome", "the job is", "reason", "counts", "tried again"), map(_consequence, _kinds())),
        "",
        f"*Counts*: of the attempts that count, a job has {MAX_ATTEMPTS}; after the last it is `{JobState.DEAD}`.",
        "A *token* answer has its token refreshed and is called once more at once; what the table says becomes of it",
        "if the second call is answered the same. *Never left*: no byte of the request was written (no connection, no",
        "name, no place in the pool). *Unknown*: a read time-out, a connection lost after the write, an answer that is",
        "no JSON object with an integer `errcode`, HTTP 408, 5xx, or another 2xx than 200. HTTP 429 is *slow down*,",
        "any other 3xx or 4xx *fatal*.",
        "",
        "## Codes",
        "",
        *_table(("code", "meaning", "outcome", "read in"), codes),
        "",
        "## Codes of the other calls",
        "",
        "No send answers these. They belong to template management, to logging a user in, and to the account's tools:",
        "there a code is an exception with its meaning, `CallRefused`, and nothing is called again but for a token.",
        "",
        *_table(("code", "meaning", "read in"), others),
        "",
        "## Where that was read",
        "",
        *_table(("key", "source"), pages),
    )


def fields_page() -> str:
    """Every value type of a template's keywords, and what it takes."""
    rows = [(f"`{kind}`", fields.rule(kind), "yes" if kind in fields.SHORTENED else "") for kind in fields.ValueType]
    return _page(
        "What a keyword's text may be",
        "The type is the key's prefix (`thing1`, `date3`). `pushjobs.wechat.fields` is this table; the door, `check`",
        "and the sandbox judge by it. Every keyword of the template must be given, and no other; `thing1.DATA` is read",
        'as `thing1`, and `"text"` as `{"value": "text"}`. Characters are counted as UTF-16 units, so an emoji is two;',
        "nothing but a legacy keyword may hold a line break or another control character. Of an `enum`, and of any",
        "keyword for which the template lists values, only those are taken; the rule below is for an app whose",
        "templates were never read. A prefix that WeChat's page does not have is judged as a `thing`.",
        "",
        *_table(("type", "takes", "shortened by a mapping that says so"), rows),
    )


def coverage_page() -> str:
    """Every call of WeChat's that concerns sending, and who knows it."""
    return _page(
        "What is spoken of WeChat's API",
        "Everything about sending to users of a Mini Program, as WeChat's pages tell it, and who knows it here. What",
        "is left out says why.",
        "",
        *_table(("WeChat's call", "does", "by", "asked for by", "in the sandbox"), coverage.calls()),
        "",
        "## Other facts",
        "",
        *_table(("facts", "where"), coverage.other_facts()),
    )


def http_page() -> str:
    """Every route of our own API, every problem, every schema."""
    return _page("Our own API", *http_api.lines(_table))


def metrics_page() -> str:
    """Every figure at `/metrics`."""
    rows = [(f"`{each.name}`", each.kind.value, ", ".join(each.labels), each.words) for each in FIGURES]
    return _page(
        "Metrics",
        "Figures at `/metrics` of the HTTP door, for a client that may `operate` all apps: read from SQL and the",
        "broker, at most every 5 s, and the same at every door. So scrape one door, or any, and add none up.",
        "",
        *_table(("name", "kind", "labels", "what it says"), rows),
    )


def events_page() -> str:
    """Every event that the log may tell, its level, its fields and what they mean."""
    return _page("Events in the log", *log_lines.lines(_table))


PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "settings.md": settings_page,
    REFERENCE / "lifecycle.md": lifecycle_page,
    REFERENCE / "errcodes.md": errcodes_page,
    REFERENCE / "wechat-coverage.md": coverage_page,
    REFERENCE / "proofs.md": lambda: _page("Which test proves which rule", *proofs.lines(_table)),
    REFERENCE / "fields.md": fields_page,
    REFERENCE / "http.md": http_page,
    REFERENCE / "metrics.md": metrics_page,
    REFERENCE / "cli.md": lambda: _page("The command line", *commands.lines(_table)),
    REFERENCE / "events.md": events_page,
    REFERENCE / "redis.md": lambda: _page("Keys in Redis", *redis_keys.lines(_table)),
    REFERENCE / "tables.md": lambda: _page("Tables", *tables.lines(_table)),
    REFERENCE / "python.md": lambda: _page("In Python", *python_api.lines(_table)),
}
"""The generated pages: where each stands, and what writes it."""


def _page(title: str, *lines: str) -> str:
    return "\n".join([_NOTE, "", f"# {title}", "", *lines, ""])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    written = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in written]


def _default(field: FieldInfo) -> str:
    match field.default:
        case None | ():
            return ""
        case bool(value):
            return f"`{str(value).lower()}`"
        case float(value):
            return f"`{value:g}`"
        case value:
            return f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    words: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    bounds = []
    for bound in field.metadata:
        match bound:
            case Gt(gt=value):
                bounds.append(f"> {value}")
            case Ge(ge=value):
                bounds.append(f"≥ {value}")
            case Le(le=value):
                bounds.append(f"≤ {value:,.10g}")
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
    name = next((words[kind] for kind in kinds if kind in words), "a secret" if SecretStr in kinds else "a text")
    return " ".join(filter(None, (name, " and ".join(bounds))))


def _member_docs(enum: type[StrEnum]) -> dict[str, str]:
    """Read the strings that stand below an enum's members, which Python itself throws away."""
    defined = next(node for node in ast.walk(ast.parse(inspect.getsource(enum))) if isinstance(node, ast.ClassDef))
    found, name = {}, ""
    for line in defined.body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[name] = text
    return found


def _kinds() -> list[Outcome]:
    """Return one outcome of each kind that the codes, or no code, can have."""
    listed: dict[str, Outcome] = {}
    others: list[Outcome] = [Sent(), Retry(never_left=True), Unknown(what="")]
    for outcome in [*others, *(row.outcome for row in ERRCODES.values())]:
        listed.setdefault(_named(outcome), outcome)
    return sorted(listed.values(), key=lambda outcome: list(_ORDER).index(type(outcome)))


_ORDER = (Sent, Retry, Token, SlowDown, DayOver, Refused, TemplateFault, Fatal, Unknown)


def _named(outcome: Outcome) -> str:  # noqa: C901, PLR0911 - one arm an outcome
    match outcome:
        case Sent():
            return "sent"
        case Retry(never_left=never_left):
            return "retry, never left" if never_left else "retry"
        case Token():
            return "token"
        case SlowDown(to_next_minute=True):
            return "slow down to the next minute"
        case SlowDown(seconds=seconds):
            return f"slow down for {seconds:g} s"
        case DayOver():
            return "day over"
        case Refused(reason=reason):
            return f"refused: {reason}"
        case TemplateFault(in_a_row=in_a_row):
            return "template fault" if in_a_row is None else "template fault, fatal for the template"
        case Fatal(hold_seconds=hold):
            return "fatal" if hold is None else f"fatal for {hold:,.0f} s"
        case Unknown():
            return "unknown"
        case _:
            assert_never(outcome)


def _consequence(outcome: Outcome) -> tuple[str, str, str, str, str]:
    """Ask the code that settles answers what becomes of a job whose first attempt ended so."""
    earliest, latest = (move_for(Answer(job=_JOB, outcome=outcome), draw=draw) for draw in (0.0, 1.0))
    reason = f"`{earliest.reason}`" if earliest.reason else ""
    counts = "yes" if earliest.counts else ""
    return (
        _named(outcome),
        f"`{target(earliest.transition)}`",
        reason,
        counts,
        _wait(outcome, earliest.due_in, latest.due_in),
    )


def _wait(outcome: Outcome, earliest: float | None, latest: float | None) -> str:
    if earliest is None or latest is None:
        return ""
    match outcome:
        case DayOver():
            return "when the app goes on: at 00:00 in Shanghai"
        case SlowDown(to_next_minute=True):
            return "when the app goes on: at the next clock minute"
        case Fatal(hold_seconds=None):
            return "when the app goes on: once somebody resumes it"
        case Fatal(hold_seconds=seconds):
            return f"when the app goes on: after {seconds:,g} s"
    return f"after {earliest:,g} s" if earliest == latest else f"after {earliest:,g} to {latest:,g} s"


_JOB = Admitted(
    id=JobId(1),
    release_no=1,
    attempts=0,
    appid="",
    template_no=1,
    faults_in_a_row=0,
    message=Message(touser="", content=Content(template_id="", data=())),
    charge=Charge(app_no=1, recipient=b"", template_no=1, day=date.min, credit_held=False, is_capped=False),
    slot=Slot(opens=0.0, closes=0.0),
    admitted_at=0.0,
    not_before=0.0,
    call_by=0.0,
    lane=Lane.BULK,
    is_probe=False,
)


def main() -> None:
    """Write every page."""
    for path, make in PAGES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
