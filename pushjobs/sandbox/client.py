"""The control doors for Python: what tests, the demo and the benchmarks ask and arrange at a sandbox.

Synchronous, one connection a call: it is never on the path that is measured.
"""

import http.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

__all__ = ["CallbackCounts", "Pace", "ReceivedSend", "SandboxClient", "SandboxError", "Summary"]

_TIMEOUT_SECONDS = 30.0
_PAGE = 5000


class SandboxError(Exception):
    """The sandbox could not carry out a control request; the message is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSend:
    """One send as the sandbox took it down; `arrived_at` is Unix time in seconds when its last byte had been read.

    `errcode` None: it was read and, by a fault's order, nothing was done with it. `fault` names what spoilt its answer.
    """

    seq: int
    arrived_at: float
    appid: str
    path: str
    touser: str
    template_id: str
    errcode: int | None
    msgid: int | None
    fault: str | None
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was received in all. `repeats`: accepted sends whose user, template and data had been accepted before.

    `by_errcode` has the codes as strings. `unjudged` were read and left at that, `dropped` not even taken down, both by
    a fault's order. `first_arrival` and `last_arrival`: Unix seconds, None where nothing came; `peak_per_second`: the
    most in any sliding second.
    """

    received: int
    accepted: int
    by_errcode: Mapping[str, int]
    unjudged: int
    dropped: int
    repeats: int
    first_arrival: float | None
    last_arrival: float | None
    peak_per_second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackCounts:
    """Events `told`, and what became of them; `tries` made, `handshakes` that succeeded."""

    told: int
    taken: int
    given_up: int
    waiting: int
    tries: int
    handshakes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast sends arrived: `peak` is the most in any sliding second, the one that ended at `peak_at`."""

    received: int
    peak: int
    peak_at: float | None
    average: float | None


class SandboxClient:
    """Speaks to the sandbox at `base_url`."""

    def __init__(self, base_url: str) -> None:
        address = urlsplit(base_url)
        if address.scheme != "http" or address.hostname is None or address.port is None:
            raise ValueError(f"{base_url} is no address of a sandbox: http://HOST:PORT")
        self._host, self._port = address.hostname, address.port

    def log(self, after: int = 0, limit: int = 1000) -> list[ReceivedSend]:
        """Return up to `limit` sends numbered above `after`; the first ever has number 1."""
        query = urlencode({"after": after, "limit": limit})
        return [ReceivedSend(**entry) for entry in self._call("GET", f"log?{query}")]

    def all_received(self) -> Iterator[ReceivedSend]:
        """Yield every send in order of arrival, page by page."""
        after = 0
        while page := self.log(after, _PAGE):
            yield from page
            after = page[-1].seq

    def summary(self) -> Summary:
        """Return the counts."""
        return Summary(**self._call("GET", "summary"))

    def pace(self) -> Pace:
        """Return how fast sends arrived since the last reset."""
        return Pace(**self._call("GET", "pace"))

    def change_settings(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - `options.Settings` has the names
        """Change settings at run time, by the names of `Settings`; return all of them."""
        return dict(self._call("POST", "settings", changes))

    def add_template(self, template_id: str, keywords: Mapping[str, Sequence[str]], **more: str | int) -> None:
        """Give the app a template of this id: each key (`thing1`) with the texts it allows, none meaning any.

        `kind` is 2 for one-time (unless said) and 3 for long-term subscriptions, `title` what it is called. pushjobs
        learns of it when its catalogue is read the next time.
        """
        listed = {key: list(allowed) for key, allowed in keywords.items()}
        self._call("POST", "templates", {"template_id": template_id, "keywords": listed, **more})

    def grant(self, touser: str | Sequence[str], template_id: str, credits: int = 1, **more: str) -> None:  # noqa: A002 - the house's word
        """Give one user or many credits for a template; with `appid=` for another app than the first."""
        self._call("POST", "consents", {"touser": touser, "template_id": template_id, "credits": credits, **more})

    def add_form_id(self, form_id: str, touser: str, **more: str | float) -> None:
        """Make a legacy form id known; `kind` is form or prepay, `age_seconds` how long ago the user acted."""
        self._call("POST", "form_ids", {"form_id": form_id, "touser": touser, **more})

    def add_login_code(self, code: str, touser: str, **more: str | float) -> None:
        """Make a code of `wx.login` known; `age_seconds` is how long ago it was made, `unionid` the user's other id."""
        self._call("POST", "login_codes", {"code": code, "touser": touser, **more})

    def mark_users(self, touser: str | Sequence[str], are: str, **more: str) -> None:
        """Say that users are `known`, `refusing` (43101) or `invalid` (40003)."""
        self._call("POST", "users", {"touser": touser, "are": are, **more})

    def visit(self, touser: str | Sequence[str], **more: str | float) -> None:
        """Have users open the Mini Program, now or `age_seconds` ago: the content check asks for two hours at most."""
        self._call("POST", "visits", {"touser": touser, **more})

    def mind(self, word: str, suggest: str = "risky", **more: str | int) -> None:
        """Have the content check find texts with this word `risky`, or for `review`; `label` says what it is about."""
        self._call("POST", "words", {"word": word, "suggest": suggest, **more})

    def tell(self, event: str, touser: str | Sequence[str], answers: Mapping[str, str], **more: str) -> None:
        """Have users answer a dialog (`popup`) or change their minds (`change`): template id → accept or reject."""
        self._call("POST", "events", {"event": event, "touser": touser, "answers": dict(answers), **more})

    def callbacks(self) -> CallbackCounts:
        """Return what became of the events that were pushed."""
        return CallbackCounts(**self._call("GET", "callbacks"))

    def order_fault(self, kind: str, match: Mapping[str, Any] | None = None, **more: Any) -> int:  # noqa: ANN401 - JSON
        """Have calls go wrong as `kind` says (`faults.FaultKind`, `faults.Rule`); return the order's number."""
        return int(self._call("POST", "faults", {"kind": kind, "match": match or {}, **more})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return the orders in force, each with how often it has `fired`."""
        return list(self._call("GET", "faults"))

    def clear_faults(self) -> None:
        """Take back all orders."""
        self._call("DELETE", "faults")

    def reset(self) -> None:
        """Put the sandbox back to its start: log, settings, users, consents, faults. Tokens stay good."""
        self._call("POST", "reset")

    def _call(self, method: str, door: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, f"/sandbox/{door}", orjson.dumps(body) if body is not None else None)
            response = connection.getresponse()
            answer = orjson.loads(response.read())
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise SandboxError(answer["error"])
        return answer
