"""The page on Python: every public name is on it, and its docstrings tell of everything that they should."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import pytest

import pushjobs
from docs.generate import REFERENCE
from docs.python_api import ROOMS, docs_below, functions_of
from pushjobs import client, errors

PAGE = (REFERENCE / "python.md").read_text(encoding="utf-8")
MEMBERS = [member for members in ROOMS.values() for member in members]
CLASSES: list[type] = [member for member in MEMBERS if inspect.isclass(member)]
FUNCTIONS = [
    *((None, member) for member in MEMBERS if inspect.isfunction(member)),
    *((kind, function) for kind in CLASSES for _, function in functions_of(kind) if inspect.isfunction(function)),
    *((kind, kind.__init__) for kind in (client.Client,)),
]
TOLD_ELSEWHERE = {
    "CallersSession",  # what SQLAlchemy has, as the words of Producer say
    "Content",  # within what `store_content` returns, which is only handed on, and in a sample
    "FormIdKind",
    "JobId",  # a number, as the words of Job say
    "Lang",
    "MiniProgramState",  # as FormIdKind and Lang: their values stand beside the arguments
    "Transition",  # a page of its own, lifecycle.md
}


def name_of(value: object) -> str:
    """Name a case for its test."""
    return str(getattr(value, "__qualname__", "module"))


def told(text: str) -> set[str]:
    """Return what stands in backticks: names, and the beginnings of what is shown as code."""
    return {word for code in re.findall(r"`([^`]+)`", text) for word in re.findall(r"\w+", code)}


def types_on_the_page() -> Iterator[str]:
    """Yield the names of types that signatures and tables have, up to what is for tests, and the errors."""
    [page, *_] = re.split(r"^## pushjobs\.(?:testing|errors)$", PAGE, flags=re.MULTILINE)
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        yield from re.findall(r"\b[A-Z]\w+", code)
    for row in re.findall(r"^\| `\w+` \| `([^`]+)` \|", page, re.MULTILINE):
        yield from re.findall(r"\b[A-Z]\w+", row)


def test_every_public_name_is_on_the_page() -> None:
    """What `pushjobs` and `pushjobs.client` export, and every error, has its heading or its line."""
    headings = set(re.findall(r"^#+ (?:[a-z.]+\.)?(\w+)$", PAGE, re.MULTILINE))
    lines = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    public = {*pushjobs.__all__, *client.__all__, *(name for name in errors.__all__ if name[0].isupper())}
    assert public <= headings | lines | TOLD_ELSEWHERE


def test_what_is_taken_and_returned_is_on_the_page() -> None:
    """A type of ours in a signature or a table has a heading of its own, or is told of elsewhere."""
    headings = set(re.findall(r"^#+ (?:[a-z.]+\.)?(\w+)$", PAGE, re.MULTILINE))
    foreign = {"Any", "Callable", "Celery", "Collection", "Iterable", "Iterator", "Mapping", "None", "Path", "Self"}
    foreign |= {"SSLContext", "Sequence", "True", "False", "Unpack"}
    assert set(types_on_the_page()) - foreign - headings == TOLD_ELSEWHERE & set(types_on_the_page())


@pytest.mark.parametrize(("kind", "function"), FUNCTIONS, ids=name_of)
def test_each_argument_is_told_of(kind: type | None, function: Callable[..., object]) -> None:
    """An argument's name stands in backticks in the docstring, in the class's, or in that of the verb it is like."""
    arguments = {each for each in inspect.signature(function).parameters if each != "self"}
    words = [inspect.getdoc(function) or "", "" if kind is None else inspect.getdoc(kind) or ""]
    if (like := re.search(r"as `Client\.(\w+)`", words[0])) is not None:
        words += [inspect.getdoc(getattr(client.Client, like[1])) or "", inspect.getdoc(client.Client) or ""]
    assert arguments <= told(" ".join(words))


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if is_dataclass(kind)], ids=name_of)
def test_each_attribute_is_told_of(kind: type) -> None:
    """A value's attribute has words below it, or stands in backticks in the words of its class."""
    names = {each.name for each in fields(kind) if not each.name.startswith("_")}
    assert names <= told(inspect.getdoc(kind) or "") | docs_below(kind).keys()


def test_no_word_of_a_closed_vocabulary_is_without_its_meaning() -> None:
    """Each member of an enumeration on the page says what it means."""
    rows = re.findall(r"^\| `(\w+)` \|  \|$", PAGE, re.MULTILINE)
    assert rows == []
