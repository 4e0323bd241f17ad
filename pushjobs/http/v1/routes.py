"""What a route is: how it is found, who may use it, what it does, and everything its page says of it.

One value for all of it, so that what is documented is what is served: `serving` obeys it, `document` writes it down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pushjobs import acceptance
from pushjobs.batches import AcceptedJob
from pushjobs.domain.client import Right
from pushjobs.http.v1.asked import Asked
from pushjobs.http.v1.problems import Kind
from pushjobs.permitted import Permitted

__all__ = ["Answer", "Gives", "Parameter", "Route", "Takes", "Together"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route answers: a value that becomes JSON, and headers of its own."""

    value: Any
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a route, in its `place`: path, query or header."""

    name: str
    place: str
    words: str
    schema: Mapping[str, Any]
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """The body that a route takes: one of these components, with an example of each use by its name."""

    schemas: tuple[str, ...]
    examples: Mapping[str, Any]
    is_required: bool = True
    media_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gives:
    """One answer that is no problem: one of these components, or no body."""

    status: HTTPStatus
    words: str
    schemas: tuple[str, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """How a request is done in one transaction with others that come at the same time.

    `asks` returns what it asks for, None where it has to be done by itself; it does not block. `words`: its answer.
    """

    asks: Callable[[Permitted, Asked], acceptance.Asked | None]
    words: Callable[[AcceptedJob], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route. `act` blocks; `refuses`: kinds of problems beyond those that every route has.

    `is_large`: its body may be a batch. `is_long`: it may take minutes, of which there are few at a time.
    `is_streamed`, one of those: its body is an `Incoming`, handed on as it comes. `together`: if it is
    small, it may be done in one transaction with others.
    """

    method: str
    path: str
    name: str
    summary: str
    words: str
    right: Right
    act: Callable[[Permitted, Asked], Answer]
    parameters: tuple[Parameter, ...] = ()
    takes: Takes | None = None
    gives: tuple[Gives, ...]
    refuses: tuple[Kind, ...] = ()
    is_large: bool = False
    together: Together | None = None
    is_long: bool = False
    is_streamed: bool = False

    @property
    def room(self) -> str:
        """What it belongs to: the first word of its path, such as jobs."""
        return self.path.split("/")[2]

    @property
    def queries(self) -> frozenset[str]:
        """The names its query may have."""
        return frozenset(each.name for each in self.parameters if each.place == "query")
