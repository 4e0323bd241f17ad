"""What a view gets and what it returns: somebody signed in who asks for a page, and the page."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from pushjobs.apps import KnownApp
from pushjobs.connected_app import ConnectedApp
from pushjobs.domain.client import Client, Right
from pushjobs.domain.job import JobId
from pushjobs.domain.moment import read_span
from pushjobs.errors import NotFound
from pushjobs.http.console.errands import Errands
from pushjobs.http.console.words import Words
from pushjobs.permitted import Permitted
from pushjobs.runtime import Runtime
from pushjobs.store.minutes import Seen

__all__ = ["Answer", "Moved", "Notice", "Page", "Shown", "View", "Visit"]

_ID_DIGITS = 16
_SPAN = re.compile("[0-9]{1,9}[smhd]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the next page says has been done: a key of the words, and its figures."""

    key: str
    figures: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A template, and what it shows. One whose name begins with `_` is a part of a page."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    status: HTTPStatus = HTTPStatus.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Where the browser goes next, with a notice for the page there."""

    to: str
    notice: Notice | None = None


Answer = Shown | Moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of somebody who is signed in. `app`: the one of `apps` that is looked at.

    `form` has the values of a POST, each name's in their order; `is_part`: htmx asks, for a part of a page.
    """

    runtime: Runtime
    client: Client
    app: ConnectedApp
    apps: Sequence[KnownApp]
    words: Words
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, Sequence[str]] = field(repr=False)
    is_part: bool
    errands: Errands = field(repr=False)

    @property
    def may(self) -> Permitted:
        """The verbs, within the client's apps and templates."""
        return Permitted(self.runtime, self.client)

    @property
    def appid(self) -> str:
        """The app that is looked at."""
        return self.app.app.appid

    @property
    def job_id(self) -> JobId:
        """The job in the path; raises NotFound where that is no number."""
        written = self.path["id"]
        if not (written.isascii() and written.isdecimal() and len(written) <= _ID_DIGITS):
            raise NotFound("there is no such job")
        return JobId(int(written))

    @property
    def seen(self) -> Seen:
        """What may be looked at, of all apps."""
        return Seen(apps=self.client.apps, templates=self.client.templates)

    @property
    def is_narrow(self) -> bool:
        """Whether that is not everything."""
        return self.client.apps is not None or self.client.templates is not None

    def field(self, name: str) -> str:
        """Return what a form says under a name; empty where it says nothing."""
        values = self.form.get(name, ())
        return values[0].strip() if values else ""

    def deadline(self, name: str) -> str | timedelta | None:
        """Return the deadline that a form gives, a moment as it is written or a span of time; None where it gives none.

        Raises InvalidMoment for a span that is none.
        """
        written = self.field(name)
        if _SPAN.fullmatch(written):
            return read_span(written, name, shortest=timedelta(minutes=1), longest=timedelta(days=365))
        return written or None

    def has(self, right: Right) -> bool:
        """Whether the client has a right."""
        return self.client.may(right)

    def noted(self, action: str, **what: Any) -> AbstractContextManager[dict[str, Any]]:  # noqa: ANN401 - JSON
        """Write a line of the audit log before what is done in the block; what is put into it is its outcome.

        Every action of a page stands in such a block.
        """
        return self.runtime.audit_log.line(self.client, action, app=self.appid, **what)


View = Callable[[Visit], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page, or what a form of one does. `entry`: its key in the navigation, None: it is not there.

    `place`: the entry that is marked while it is shown. A POST has proven its form before its view is asked.
    """

    path: str
    view: View = field(repr=False)
    method: str = "GET"
    entry: str | None = None
    place: str | None = None
