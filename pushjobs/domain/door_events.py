"""What happened at the HTTP doors, as frozen records: a part of `events`, which has them all."""

from dataclasses import dataclass

__all__ = [
    "CallbacksNotKept",
    "CallbacksRefused",
    "OutcomesGivenUp",
    "OutcomesNotTold",
    "PushesNotTaken",
    "RequestAnswered",
    "RequestsFailed",
    "RequestsNotAccepted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbacksRefused:
    """Requests at the callback door were refused, so many since this fault was last told of."""

    callbacks: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbacksNotKept:
    """What callbacks told could not be stored; they were answered so, and WeChat pushes them again."""

    callbacks: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushesNotTaken:
    """The app's own door did not take callbacks. They are tried again, but for those that are `dead`."""

    app_no: int
    pushes: int
    dead: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered:
    """A request at any HTTP door is over: the access log.

    `route`: as it is documented, None for an address that is none. `status` 0: nobody waited for the answer any more.
    `client`: its name, None where none was proven. `address`: who called, as trusted proxies tell it.
    """

    method: str
    route: str | None
    status: int
    milliseconds: float
    client: str | None
    address: str | None
    scheme: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesNotTold:
    """A client's webhook did not take what became of its jobs; it is told again later."""

    client: str
    outcomes: int
    attempts: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesGivenUp:
    """A client's webhook took none of these in a day; it can still ask for its jobs."""

    client: str
    outcomes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsFailed:
    """Requests at our own API could not be answered, so many since this fault, which is ours, was last told of."""

    requests: int
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsNotAccepted:
    """Sends asked for over HTTP could not be accepted, for no fault of theirs; they were answered so."""

    requests: int
    fault: str
