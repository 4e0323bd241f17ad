"""Every exception pushjobs raises on purpose.

    PushJobsError
    ├── InvalidInput            a request that cannot succeed, refused at the door; nothing was stored
    │   ├── InvalidMoment           `time` or `expires` cannot be read, or a clock change makes it ambiguous
    │   ├── InvalidMessage          the message breaks a rule of WeChat or of its template
    │   │   ├── LegacyWithdrawn         it asks for a template message, which WeChat withdrew in 2020
    │   │   ├── FormIdUsedUp            its form id has no message left for another job
    │   │   ├── ContentRefused          WeChat's content check does not let the message pass
    │   │   └── ContentUnchecked        WeChat's content check gave no word: it may be asked again later
    │   ├── UnknownTemplate         no template of that id in the app's catalogue
    │   ├── InvalidFile             a file of jobs has the wrong shape
    │   ├── KeyReused               an idempotency key came back with another body
    │   └── InvalidCallback         a callback has a shape WeChat's have not
    │       └── UnprovenCallback        nothing proves that a callback is WeChat's
    ├── NotFound                no such job
    ├── NotPossible             the job's state does not allow it
    ├── UnknownClient           no client has that id and key
    │   └── TokenExpired            its access token was good once
    ├── NotPermitted            the client may not do that, or not with that app or template
    ├── Overloaded              more waits here than can be done soon; nothing was begun
    ├── Misconfigured           a setting is missing or wrong
    ├── NotRunning              nothing runs in this directory, and no address was set
    ├── Unreachable             PostgreSQL, Redis or WeChat does not answer at its address
    ├── NotReady                the database lacks our tables, or has another release's
    ├── Undecryptable           no key of ours opens a stored value
    ├── AudienceUnread          an audience cannot be read, or not to its end
    ├── ContentUnfetched        the feed that a campaign's content comes from cannot be had, or says nothing
    └── CallRefused             WeChat answered a call of ours with an error code
        └── CredentialsRefused      WeChat does not accept our appid and secret

Expected refusals at sending time are values (`pushjobs.domain.outcome`), not exceptions. A message says what was
wrong, what is allowed and what to do; it never holds an open id or a message's content, because messages of
exceptions end up in logs.
"""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "AudienceUnread",
    "CallRefused",
    "ContentRefused",
    "ContentUnchecked",
    "ContentUnfetched",
    "CredentialsRefused",
    "FormIdUsedUp",
    "InvalidCallback",
    "InvalidFile",
    "InvalidInput",
    "InvalidMessage",
    "InvalidMoment",
    "KeyReused",
    "LegacyWithdrawn",
    "Misconfigured",
    "NotFound",
    "NotPermitted",
    "NotPossible",
    "NotReady",
    "NotRunning",
    "Overloaded",
    "PushJobsError",
    "TokenExpired",
    "Undecryptable",
    "UnknownClient",
    "UnknownTemplate",
    "UnprovenCallback",
    "Unreachable",
    "gathered",
]


class PushJobsError(Exception):
    """The root: catch this to catch everything pushjobs raises on purpose."""


class InvalidInput(PushJobsError):
    """A request that cannot succeed was refused at the door; nothing was stored.

    `field` is the argument's path (`data.thing1`), `fault` what is wrong with its value ("is 23 characters long"),
    `rule` what is allowed ("a thing has 1 to 20 characters"). None of the three repeats a content or an open id.
    """

    def __init__(self, field: str, fault: str, rule: str) -> None:
        super().__init__(f"{field} {fault}: {rule}")
        self.field = field
        self.fault = fault
        self.rule = rule

    def __reduce__(self) -> tuple[type["InvalidInput"], tuple[str, str, str]]:
        """Cross process borders whole: Celery pickles exceptions."""
        return type(self), (self.field, self.fault, self.rule)


class InvalidMoment(InvalidInput):
    """A time cannot be read, or a clock change skips or repeats it."""


class InvalidMessage(InvalidInput):
    """The message breaks a rule of WeChat or of its template."""


class LegacyWithdrawn(InvalidMessage):
    """The message asks for a template message of before 2020, which WeChat's own host sends no longer."""


class FormIdUsedUp(InvalidMessage):
    """The form id has no message left for another job."""


class ContentRefused(InvalidMessage):
    """WeChat's content check does not let the message pass."""


class ContentUnchecked(InvalidMessage):
    """WeChat's content check gave no word on the message; asked later it may."""


class UnknownTemplate(InvalidInput):
    """The app's catalogue has no template of that id."""


class InvalidFile(InvalidInput):
    """A file of jobs has the wrong shape: encoding, header, or not one row."""


class KeyReused(InvalidInput):
    """The idempotency key is already taken by a job with another body."""


class InvalidCallback(InvalidInput):
    """A request to the callback door has a shape WeChat's have not, or cannot be read; nothing was stored."""


class UnprovenCallback(InvalidCallback):
    """Nothing proves that a callback is WeChat's: the signature, its moment, the encryption."""


class NotFound(PushJobsError):
    """There is no such job."""


class NotPossible(PushJobsError):
    """The job's state does not allow what was asked; nothing was changed."""


class UnknownClient(PushJobsError):
    """Nobody in force has that id and key, or that access token; which of the two was wrong is not told."""


class TokenExpired(UnknownClient):
    """The access token was good once; it may be exchanged for another."""


class NotPermitted(PushJobsError):
    """The client may not do that, or not with that app or template; whether there is such a one is not told."""


class Overloaded(PushJobsError):
    """More waits here than can be done soon; nothing was begun, and it may be asked for again."""


class Misconfigured(PushJobsError):
    """A setting is missing or wrong; the message names the variable."""


class NotRunning(PushJobsError):
    """Nothing runs in this directory, and no address was set."""


class Unreachable(PushJobsError):
    """A server does not answer at its address."""


class NotReady(PushJobsError):
    """The database is there, but our tables are not, or are another release's."""


class Undecryptable(PushJobsError):
    """No key of ours opens a stored value."""


class AudienceUnread(PushJobsError):
    """A campaign's audience cannot be read, or not to its end; what is wrong with single rows is no such fault.

    `audience` says which for people, `fault` what is wrong with it, `rule` what to do. None holds a value of a row.
    """

    def __init__(self, audience: str, fault: str, rule: str) -> None:
        super().__init__(f"the audience {audience} {fault}: {rule}")
        self.audience = audience
        self.fault = fault
        self.rule = rule

    def __reduce__(self) -> tuple[type["AudienceUnread"], tuple[str, str, str]]:
        """Cross process borders whole."""
        return type(self), (self.audience, self.fault, self.rule)


class ContentUnfetched(PushJobsError):
    """A campaign's feed cannot be fetched or read; the message says what happened, and nothing of what it holds."""


class CallRefused(PushJobsError):
    """WeChat answered a call of ours with an error code, `errcode`; `meaning` says what it means.

    `rid` is WeChat's number of the request where it gave one: `pushjobs wechat rid` asks what became of it.
    """

    def __init__(self, errcode: int, meaning: str, rid: str | None = None) -> None:
        super().__init__(self._message(errcode, meaning) + (f" (rid {rid})" if rid else ""))
        self.errcode = errcode
        self.meaning = meaning
        self.rid = rid

    def __reduce__(self) -> tuple[type["CallRefused"], tuple[int, str, str | None]]:
        """Cross process borders whole."""
        return type(self), (self.errcode, self.meaning, self.rid)

    def _message(self, errcode: int, meaning: str) -> str:
        return f"WeChat answered {errcode}: {meaning}"


class CredentialsRefused(CallRefused):
    """WeChat does not accept our appid and secret; `errcode` says why."""

    def _message(self, errcode: int, meaning: str) -> str:
        return f"WeChat refused the credentials with {errcode} ({meaning}): check appid and secret"


@contextmanager
def gathered(found: list[InvalidInput]) -> Iterator[None]:
    """Note a refusal in place of raising it: for whoever is to hear of all that is wrong, not of the first alone."""
    try:
        yield
    except InvalidInput as refusal:
        found.append(refusal)
