"""The OpenAPI document and its page: complete, true of itself, and in need of nobody else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pushjobs import inspection
from pushjobs.domain.job import Job
from pushjobs.domain.receipt import JobReceipt
from pushjobs.errors import PushJobsError
from pushjobs.http.v1 import answers, job_answers
from pushjobs.http.v1.document import ROOMS, document, problems_of
from pushjobs.http.v1.jobs import FILTERS
from pushjobs.http.v1.page import _page
from pushjobs.http.v1.problems import KINDS, kind_of
from pushjobs.http.v1.routes import Route
from pushjobs.http.v1.schemas import FIELDS
from pushjobs.http.v1.table import ROUTES
from pushjobs.request import JobArguments
from pushjobs.store.jobs import Happening
from tests.schemas import faults

DOCUMENT = document(ROUTES)
COMPONENTS = DOCUMENT["components"]["schemas"]


def named(route: Route) -> str:
    """Name a route as people do, for a test's own name."""
    return route.name


def operation(route: Route) -> dict[str, Any]:
    """What the document says of a route."""
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_every_route_says_what_it_does(route: Route) -> None:
    """It has a summary, words, a room, the right it needs, its parameters, and every answer it may give."""
    said = operation(route)
    assert said["summary"]
    assert not said["summary"].endswith(".")
    assert said["description"].endswith(f"Needs the right to {route.right}.")
    assert said["tags"] == [route.room]
    assert route.room in ROOMS
    assert {each["name"] for each in said["parameters"] if each["in"] == "path"} == set(
        re.findall(r"{(\w+)}", route.path)
    )
    assert all(each["description"] for each in said["parameters"])
    assert all(each["description"] for each in said["responses"].values())
    assert {"401", "403", "422", "429", "500", "503"} <= set(said["responses"])
    assert ({"400", "408", "413", "415"} <= set(said["responses"])) == (route.takes is not None)
    assert ("304" in said["responses"]) == (route.method == "GET")


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_every_example_is_what_it_is_an_example_of(route: Route) -> None:
    """Bodies and answers have examples, and each fits its schema."""
    for content in contents(operation(route)):
        assert content["examples"]
        for name, example in content["examples"].items():
            assert list(faults(example["value"], content["schema"], COMPONENTS)) == [], name


def contents(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every content that is documented of an operation."""
    for part in (said.get("requestBody", {}), *said["responses"].values()):
        yield from part.get("content", {}).values()


def test_names_are_given_once() -> None:
    """No two routes share a name, or a method and a path."""
    assert len({route.name for route in ROUTES}) == len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_a_job_s_schema_has_what_python_takes() -> None:
    """A job over HTTP has the arguments of `send`, but for a stored content, which only Python has."""
    assert set(COMPONENTS["NewJob"]["properties"]) == JobArguments.__annotations__.keys() - {"content"}


@pytest.mark.parametrize(
    ("shown", "ours"),
    [
        (job_answers.Job, Job),
        (job_answers.Receipt, JobReceipt),
        (job_answers.Happening, Happening),
        (answers.UserQuota, inspection.Quota),
    ],
)
def test_what_python_returns_is_shown(shown: type, ours: type) -> None:
    """A field that is new in Python's record is new over HTTP, too."""
    assert shown.__annotations__.keys() == ours.__annotations__.keys()


def test_filters_are_documented() -> None:
    """The filters of a list are those of its body and, but for the user, of its query."""
    assert set(FILTERS) < set(COMPONENTS["Filter"]["properties"])
    [listing] = [route for route in ROUTES if route.name == "list_jobs"]
    assert listing.queries == set(COMPONENTS["Filter"]["properties"]) - {"touser"}


def test_no_open_id_is_part_of_an_address() -> None:
    """What is asked by user is asked in a body."""
    names = {each["name"] for route in ROUTES for each in operation(route)["parameters"]}
    assert "touser" not in names
    assert "touser" in FIELDS


def test_every_reference_leads_somewhere() -> None:
    """No schema names one that is not there, and none stands there for nothing."""
    text = str(DOCUMENT)
    named_ones = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert named_ones == set(COMPONENTS)


def all_errors(root: type[PushJobsError] = PushJobsError) -> Iterator[type[PushJobsError]]:
    """Yield every exception of ours."""
    yield root
    for each in root.__subclasses__():
        yield from all_errors(each)


def test_every_exception_is_a_kind_of_problem() -> None:
    """Each of the tree has its kind, its own or its parent's; kinds have names and statuses of their own."""
    kinds = {kind_of(each.__new__(each)) for each in all_errors()}
    assert kinds <= set(KINDS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    documented = {kind for route in ROUTES for kind in problems_of(route)}
    # What no route answers: the address was none of theirs.
    assert {kind.name for kind in set(KINDS) - documented} == {"not-a-method"}


def test_the_page_needs_nobody_else() -> None:
    """Every route stands there, every link leads to a place on it, and nothing is loaded from anywhere."""
    page = "".join(_page(DOCUMENT))
    # An example of a body may name an address: as text, which loads nothing.
    assert not re.search(r"https?:|<script|<link|@import|url\(", re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL))
    targets = set(re.findall(r'id="([\w-]+)"', page))
    assert set(re.findall(r'href="#([\w-]+)"', page)) <= targets
    assert {route.name for route in ROUTES} <= targets
