"""Answers of the door, read back into the values that the verbs return, and problems into the errors they raise.

An answer may say more than is known here (a newer door's): what is unknown is passed over, but for a state or a reason,
which nobody may guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from pushjobs.client.bodies import MESSAGE_FIELDS, MOMENTS
from pushjobs.domain.job import Job, JobId, JobState, Lane, Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.domain.receipt import JobReceipt, ReceiptState
from pushjobs.domain.rule import Rule
from pushjobs.errors import (
    ContentRefused,
    ContentUnchecked,
    ContentUnfetched,
    InvalidInput,
    InvalidMessage,
    InvalidMoment,
    KeyReused,
    NotFound,
    NotPermitted,
    NotPossible,
    Overloaded,
    PushJobsError,
    UnknownClient,
    UnknownTemplate,
    Unreachable,
)
from pushjobs.rejections import Report

if TYPE_CHECKING:
    from pushjobs.inspection import Why

__all__ = ["Answer", "note_batch", "read_cancelled", "read_job", "read_page", "read_why", "refusal"]

_PROBLEM = "application/problem+json"
_NAMES = "urn:pushjobs:problem:"
_ERRORS: Mapping[str, type[PushJobsError]] = {
    "unauthorised": UnknownClient,
    "forbidden": NotPermitted,
    "not-found": NotFound,
    "not-possible": NotPossible,
    "too-fast": Overloaded,
    "overloaded": Overloaded,
    "unreachable": Unreachable,
    "too-slow": Unreachable,
    "content-unfetched": ContentUnfetched,
}
_REFUSALS: Mapping[str, type[InvalidInput]] = {
    "unknown-template": UnknownTemplate,
    "key-reused": KeyReused,
    "content-refused": ContentRefused,
    "content-unchecked": ContentUnchecked,
}
_UNDONE = frozenset({"too-fast", "overloaded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came. `retry_after`: seconds after which the door wants to be asked again."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
    retry_after: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether it says that what was asked is done."""
        return self.status in {HTTPStatus.OK, HTTPStatus.CREATED}

    @property
    def is_busy(self) -> bool:
        """Whether it asks to come back later."""
        return self.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

    @property
    def is_undone(self) -> bool:
        """Whether it is certain that nothing was done, and not only unknown."""
        return self.problem in _UNDONE

    @property
    def problem(self) -> str | None:
        """The name of the problem it is, None where it is none of ours."""
        return None if (told := self._told()) is None else str(told.get("type", "")).removeprefix(_NAMES)

    def value(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return what it holds; raises Unreachable where that is no JSON: whoever answered is no door of ours."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Unreachable(_foreign(self.status)) from None

    def _told(self) -> dict[str, Any] | None:
        if self.media_type != _PROBLEM:
            return None
        told = self.value()
        return told if isinstance(told, dict) else None


def refusal(answer: Answer) -> PushJobsError:
    """Return the error that a refusal stands for: the one that the same verb raises beside the database.

    A legacy message that cannot go out, or whose form id is used up, is an InvalidMessage here.
    """
    name = answer.problem
    if name is None:
        return Unreachable(_foreign(answer.status))
    told = answer.value()
    detail, errors = str(told.get("detail", "")), told.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        path, fault, rule = (str(errors[0].get(key, "")) for key in ("field", "fault", "rule"))
        return _REFUSALS.get(name, _by_field(path))(path, fault, rule)
    return _ERRORS.get(name, PushJobsError)(detail)


def read_job(value: Any) -> Job:  # noqa: ANN401 - read from JSON
    """Read a job; raises PushJobsError where it is in words that are not known here."""
    try:
        return _job(value)
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown("job", error) from None


def read_page(value: Any) -> list[Job]:  # noqa: ANN401 - read from JSON
    """Read a page of jobs; raises PushJobsError where it is in words that are not known here."""
    try:
        return [_job(each) for each in value["jobs"]]
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown("page", error) from None


def read_cancelled(value: Any) -> int:  # noqa: ANN401 - read from JSON
    """Read how many jobs were cancelled; raises PushJobsError where it is not told."""
    try:
        return int(value["cancelled"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown("count", error) from None


def read_why(value: Any) -> "Why":  # noqa: ANN401 - read from JSON
    """Read why a job is where it is; raises PushJobsError where that is in words that are not known here."""
    # They live beside SQLAlchemy, which takes half a second to import: whoever only sends does without.
    from pushjobs.inspection import Why  # noqa: PLC0415
    from pushjobs.store.jobs import Happening  # noqa: PLC0415

    try:
        job = _job(value["job"])
        history = [
            Happening(
                at=datetime.fromisoformat(each["at"]),
                release_no=each["release_no"],
                transition=Transition(each["transition"]),
                state=JobState(each["state"]),
                reason=_reason(each["reason"]),
                errcode=each["errcode"],
            )
            for each in value["history"]
        ]
        return Why(
            job=job,
            state=job.state,
            rule=Rule(value["rule"]),
            words=value["words"],
            when=_when(value["when"]),
            place=value["place"],
            history=history,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown("why", error) from None


def note_batch(value: Any, report: Report, numbers: list[int], *, own_keys: frozenset[int]) -> None:  # noqa: ANN401 - read from JSON
    """Note what became of a batch, whose rows have these numbers; `own_keys`: the places of those whose keys are ours.

    A batch is one transaction. If rows with keys that nobody else has are known, an answer was lost that said they had
    been accepted: they are counted as that.
    """
    try:
        accepted, known, ids = value["accepted"], value["known"], value["ids"]
        ours = sum(place in own_keys for place, job_id in enumerate(ids) if job_id is not None)
        lost = ours if accepted < ours else 0
        report.accepted += accepted + lost
        report.known += known - lost
        for each in value["errors"]:
            path = each["field"].removeprefix(f"jobs[{each['row']}].")
            report.rejected.add(numbers[each["row"]], InvalidInput(path, each["fault"], each["rule"]))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise _unknown("report", error) from None


def _job(value: Any) -> Job:  # noqa: ANN401 - read from JSON
    receipt, msgid = value["receipt"], value["msgid"]
    return Job(
        id=JobId(value["id"]),
        appid=value["appid"],
        template_id=value["template_id"],
        state=JobState(value["state"]),
        lane=Lane(value["lane"]),
        time=datetime.fromisoformat(value["time"]),
        due_at=datetime.fromisoformat(value["due_at"]),
        expires=datetime.fromisoformat(value["expires"]),
        attempts=value["attempts"],
        reason=_reason(value["reason"]),
        errcode=value["errcode"],
        msgid=None if msgid is None else int(msgid),
        reference=value["reference"],
        created_at=datetime.fromisoformat(value["created_at"]),
        called_at=_when(value["called_at"]),
        closed_at=_when(value["closed_at"]),
        receipt=None
        if receipt is None
        else JobReceipt(
            state=ReceiptState(receipt["state"]),
            errcode=receipt["errcode"],
            status=receipt["status"],
            at=datetime.fromisoformat(receipt["at"]),
        ),
        client=value["client"],
        is_forgotten=value["is_forgotten"],
    )


def _when(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _reason(value: str | None) -> Reason | None:
    return None if value is None else Reason(value)


def _by_field(path: str) -> type[InvalidInput]:
    """Return what a bad value of this field is refused with; the door's problem does not tell them apart."""
    name = path.partition(".")[0]
    if name in MOMENTS:
        return InvalidMoment
    return InvalidMessage if name in MESSAGE_FIELDS else InvalidInput


def _foreign(status: int) -> str:
    return f"what answered with {status} is no door of pushjobs: look at the address, and at what is on the way"


def _unknown(what: str, error: Exception) -> PushJobsError:
    return PushJobsError(f"the door's answer cannot be read ({what}, {type(error).__name__}): update pushjobs here")
