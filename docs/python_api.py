"""What docs/reference/python.md says of the names for application code: their signatures and their docstrings.

Refuses to explain: what a reader misses on that page is missing in a docstring.
"""  # noqa: INP001 - a script's part, as docs/generate.py

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from importlib.util import find_spec
from types import FunctionType, ModuleType
from typing import Any

import pushjobs
from pushjobs import client, errors, intake
from pushjobs.campaigns.campaigns import Campaign, Campaigns, Progress, Unreached
from pushjobs.campaigns.definition import CampaignArguments
from pushjobs.campaigns.rehearsal import Rehearsal, Sample, Verdict
from pushjobs.checking import Checked
from pushjobs.consenting import Granted
from pushjobs.domain.campaign import Missed, Policies, RunReason, RunState
from pushjobs.domain.consent import Consent
from pushjobs.domain.instants import ClockChange, Effect, Instant
from pushjobs.domain.job import Job, JobState, Lane, OnQuota, Reason
from pushjobs.domain.receipt import JobReceipt, ReceiptState
from pushjobs.domain.rule import Rule
from pushjobs.forgetting import Forgotten
from pushjobs.inspection import Why
from pushjobs.producer import Producer
from pushjobs.rejections import Rejected, Rejection, Report
from pushjobs.request import ContentArguments, JobArguments, StoredContent
from pushjobs.store.jobs import Happening
from pushjobs.store.runs import Count, Run
from pushjobs.wechat.login import Login

__all__ = ["OF_DOORS", "ROOMS", "docs_below", "functions_of", "lines"]

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]

ROOMS: Mapping[str, tuple[object, ...]] = {
    "pushjobs": (pushjobs.connect, Producer),
    "What send takes": (JobArguments, ContentArguments, StoredContent),
    "What comes back": (
        *(Job, JobState, Lane, OnQuota, Reason, JobReceipt, ReceiptState, Why, Rule, Happening),
        *(Report, Rejected, Rejection, Checked, Consent, Granted, Forgotten, Login),
    ),
    "Campaigns": (
        *(Campaigns, CampaignArguments, Campaign, Policies, Missed, Instant, ClockChange, Effect, Run, RunState),
        *(RunReason, Count, Progress, Unreached, Rehearsal, Sample, Verdict),
    ),
    "pushjobs.client": (client.Client, client.AsyncClient),
    "pushjobs.intake": (intake.register,),
}
"""The page's rooms, each with what it tells of."""

OF_DOORS: Mapping[type, frozenset[str]] = {
    Producer: frozenset({"accept", "accept_batch", "on_behalf_of", "owns"}),
    Campaigns: frozenset({"counted", "declare", "going_on", "latest"}),
    Rejected: frozenset({"add"}),
}
"""Methods that are there for doors of ours and for ticks: applications have no use for them, and they may move."""

_MADE_BY_CALLERS = (client.Client, client.AsyncClient)
_TESTING = "pushjobs.testing"
_IMPORTED = ("pushjobs.client", "pushjobs.intake", _TESTING)
_WIDE = 100


def lines(table: Table) -> Iterator[str]:
    """Yield the page below its title; `table` writes a table of columns and rows."""
    yield "Import names from the module that a heading names. What has none is what a verb takes or returns: rely on"
    yield "its attributes, but not on where it is now. Everything else may move in any release. `push` is what"
    yield "`pushjobs.connect()` returned; every error has its line at the end."
    for room, members in ROOMS.items():
        yield from ("", f"## {room}")
        if (module := _module(room)) is not None:
            yield from ("", _opening(module))
        for member in members:
            yield from _told(member, room, table)
    yield from _testing(table)
    yield from ("", "## pushjobs.errors", "", _words(errors), "")
    kinds = [getattr(errors, name) for name in errors.__all__ if inspect.isclass(getattr(errors, name))]
    yield from table(("error", "is one of", "means"), [_error(kind) for kind in kinds])


def functions_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield a class's own functions and properties that applications may use, in the order of the source."""
    for each in reversed(kind.__mro__):
        if each.__module__.partition(".")[0] == "pushjobs":
            for name, value in vars(each).items():
                is_ours = isinstance(value, FunctionType | property | classmethod)
                if is_ours and not name.startswith("_") and name not in OF_DOORS.get(kind, ()):
                    yield name, value


def docs_below(kind: type) -> dict[str, str]:
    """Read the strings that stand below a class's attributes and members, which Python itself throws away."""
    found, name = {}, ""
    for line in _node(kind).body:
        match line:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[name] = inspect.cleandoc(text).replace("\n", " ")
    return found


def _told(member: Any, room: str, table: Table) -> Iterator[str]:  # noqa: ANN401 - a class or a function
    where = "pushjobs." if member.__name__ in pushjobs.__all__ else f"{room}." if room in _IMPORTED else ""
    yield from ("", f"### {where}{member.__name__}", "")
    if not inspect.isclass(member):
        yield from (*_code(member.__name__, member), "", _words(member))
        return
    if member in _MADE_BY_CALLERS:
        yield from (*_code(member.__name__, member.__init__), "")
    yield _words(member)
    yield from _attributes(member, table)
    for name, function in functions_of(member):
        if isinstance(function, property):
            yield from ("", f"`{name}`: {_in_a_line(function)}")
        elif not dataclasses.is_dataclass(member) and not isinstance(function, classmethod):
            yield from ("", f"#### {name}", "", *_code(name, function), "", _words(function))


def _attributes(kind: type, table: Table) -> Iterator[str]:
    """Yield a table of what a value holds: its fields, or the members of an enumeration."""
    docs = docs_below(kind)
    if issubclass(kind, Enum):
        rows = [[f"`{each.value}`", docs.get(each.name, "")] for each in kind]
        yield ""
        yield from table(("value", "means"), rows) if docs else [_listed(each.value for each in kind)]
    elif names := _annotations(kind):
        rows = [[f"`{name}`", f"`{written}`", docs.get(name, "")] for name, written in names.items()]
        columns = ("name", "is", "means") if docs else ("name", "is")
        yield from ("", *table(columns, [row[: len(columns)] for row in rows]))
        if bases := [base.__name__ for base in getattr(kind, "__orig_bases__", ()) if hasattr(base, "__total__")]:
            yield from ("", f"And those of `{bases[0]}`.")


def _testing(table: Table) -> Iterator[str]:
    """Yield what there is for the tests of applications, where that is built."""
    if find_spec(_TESTING) is None:
        return
    module = importlib.import_module(_TESTING)
    yield from ("", f"## {_TESTING}", "", _words(module))
    fixtures = []
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield from _told(value, _TESTING, table)
        else:
            fixtures.append((f"`{name}`", _in_a_line(value)))
    yield from ("", *table(("fixture", "gives"), fixtures))


def _error(kind: type) -> tuple[str, str, str]:
    base = kind.__bases__[0].__name__
    return f"`{kind.__name__}`", "" if base == "Exception" else f"`{base}`", _in_a_line(kind)


def _annotations(kind: type) -> dict[str, str]:
    """Return a value's public attributes with their types, as the source has them."""
    if not (dataclasses.is_dataclass(kind) or hasattr(kind, "__total__") or hasattr(kind, "_fields")):
        return {}
    lines_ = [line for line in _node(kind).body if isinstance(line, ast.AnnAssign)]
    named = [(line.target.id, line.annotation) for line in lines_ if isinstance(line.target, ast.Name)]
    return {name: _type(annotation) for name, annotation in named if not name.startswith("_")}


def _code(name: str, function: Any) -> list[str]:  # noqa: ANN401 - a function, or what wraps one
    """Write a function's signature as the source has it, without `self`; a long one with a line for each argument."""
    node = _node(function)
    awaited = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    gives = "" if node.returns is None or name[0].isupper() else f" -> {_type(node.returns)}"
    defaults = {each.name: each.default for each in inspect.signature(inspect.unwrap(function)).parameters.values()}
    arguments = list(_arguments(node.args, defaults))
    line = f"{awaited}{name}({', '.join(arguments)}){gives}"
    if len(line) <= _WIDE:
        return ["```python", line, "```"]
    return ["```python", f"{awaited}{name}(", *(f"    {each}," for each in arguments), f"){gives}", "```"]


def _arguments(given: ast.arguments, defaults: Mapping[str, object]) -> Iterator[str]:
    """Yield a function's arguments as they are written, `*` among them."""
    yield from (_argument(each, defaults) for each in given.args if each.arg != "self")
    if given.vararg is not None:
        yield f"*{_argument(given.vararg, defaults)}"
    elif given.kwonlyargs:
        yield "*"
    yield from (_argument(each, defaults) for each in given.kwonlyargs)
    if given.kwarg is not None:
        yield f"**{_argument(given.kwarg, defaults)}"


def _argument(argument: ast.arg, defaults: Mapping[str, object]) -> str:
    written = argument.arg if argument.annotation is None else f"{argument.arg}: {_type(argument.annotation)}"
    default = defaults[argument.arg]
    return written if default is inspect.Parameter.empty else f"{written} = {default!r}"


def _type(annotation: ast.expr) -> str:
    """Write a type without quotes around it and without the modules it is taken from."""
    quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    written = str(annotation.value) if isinstance(annotation, ast.Constant) and quoted else ast.unparse(annotation)
    return re.sub(r"\b[a-z_]+\.(?=[A-Z])", "", written)


def _node(value: Any) -> Any:  # noqa: ANN401 - a definition of whichever kind
    return ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]


def _opening(module: ModuleType) -> str:
    """Return a module's first paragraph and what it shows as code; the rest is for whoever changes it."""
    sentence, _, rest = _words(module).partition("\n\n")
    shown = re.match(r"```\n.*?\n```", rest, re.DOTALL)
    return sentence if shown is None else f"{sentence}\n\n{shown[0]}"


def _words(value: object) -> str:
    """Return a docstring; what it shows as code is set apart."""
    code = re.compile(r"(?:^    .*\n?|^\n(?=    ))+", re.MULTILINE)
    text = code.sub(lambda block: f"\n```\n{textwrap.dedent(block[0]).strip()}\n```\n", inspect.getdoc(value) or "")
    return text.strip()


def _in_a_line(value: object) -> str:
    return " ".join((inspect.getdoc(value) or "").split())


def _module(room: str) -> ModuleType | None:
    return importlib.import_module(room) if room.partition(".")[0] == "pushjobs" else None


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values) + "."
