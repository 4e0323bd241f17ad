"""What comes in: numbered messages at a fixed rate, as a careful caller hands them over.

Each has an idempotency key, so that a call whose answer was lost is simply made again, and its number in the text, by
which the sandbox's log tells it from all others. Most are bulk and come a few seconds ahead of their moment; some are
urgent and come at it; a few are meant to be refused, to be cancelled, or to be worth nothing a second later.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pushjobs import clock
from pushjobs.chaos.plan import Load
from pushjobs.errors import PushJobsError
from pushjobs.producer import Producer
from pushjobs.request import JobArguments
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.sandbox.client import ReceivedSend, SandboxClient

__all__ = ["LEAD", "Traffic", "number_of"]

LEAD = timedelta(seconds=7)
"""How long before their moments bulk jobs come: a little more than the look-ahead."""

_CHUNK_SECONDS = 0.5
_USERS_SHARE = 5
_WORTH = timedelta(seconds=1)
_TEXT = "第{}条"


@dataclass(frozen=True, slots=True)
class _Message:
    """One message by its number, which decides everything about it."""

    number: int
    users: int

    @property
    def is_urgent(self) -> bool:
        return self._is_each(10)

    @property
    def is_refused(self) -> bool:
        return self._is_each(50)

    @property
    def is_short_lived(self) -> bool:
        return self._is_each(97)

    @property
    def is_cancelled(self) -> bool:
        return not self.is_urgent and self._is_each(101)

    def _is_each(self, count: int) -> bool:
        return self.number % count == count // 2

    @property
    def touser(self) -> str:
        kind = "oRefusing" if self.is_refused else "oReader"
        return f"{kind}{self.number % self.users:06d}"

    def arguments(self, moment: datetime) -> JobArguments:
        given = JobArguments(
            touser=self.touser,
            template_id=DAILY_NEWS,
            data={"thing1": _TEXT.format(self.number), "thing2": "今日要闻", "date3": "2026年12月1日"},
            reference=str(self.number),
            idempotency_key=f"chaos-{self.number}",
        )
        if not self.is_urgent:
            given["time"] = moment
        if self.is_short_lived:
            given["expires"] = _WORTH
        return given


class Traffic:
    """Hands jobs over as their moments come nearer.

    A call that fails is made again at the next `feed`, so that nothing is planned twice and nothing left out.
    """

    def __init__(self, producer: Producer, load: Load, begin: datetime) -> None:
        self._producer = producer
        self._load = load
        self._begin = begin
        self._users = max(1, load.jobs // _USERS_SHARE)
        self._next = self._next_urgent = 0
        self._to_cancel: deque[int] = deque()
        self.failures = 0
        self.cancelled: set[int] = set()
        """The numbers of those that were cancelled by our word."""

    def prepare(self, sandbox: SandboxClient) -> None:
        """Make known at the sandbox who refuses messages."""
        messages = (_Message(number, self._users) for number in range(self._load.jobs))
        sandbox.mark_users(sorted({each.touser for each in messages if each.is_refused}), "refusing")

    @property
    def is_over(self) -> bool:
        """Whether everything was handed over."""
        return self._next == self._next_urgent == self._load.jobs and not self._to_cancel

    def feed(self) -> None:
        """Hand over what has its time; what fails now has its time at the next call too."""
        try:
            self._feed_urgent(self._due(clock.now()))
            self._feed_bulk(self._due(clock.now() + LEAD))
            self._cancel()
        except PushJobsError:
            self.failures += 1

    def _due(self, until: datetime) -> int:
        """Return how many jobs have their moments before `until`."""
        seconds = (until - self._begin).total_seconds()
        return min(self._load.jobs, max(0, int(seconds * self._load.rate)))

    def _moment(self, number: int) -> datetime:
        return self._begin + timedelta(seconds=number / self._load.rate)

    def _feed_urgent(self, until: int) -> None:
        while self._next_urgent < until:
            message = _Message(self._next_urgent, self._users)
            if message.is_urgent:
                self._producer.send(**message.arguments(self._moment(message.number)))
            self._next_urgent += 1

    def _feed_bulk(self, until: int) -> None:
        # Whole chunks, or the last one.
        if until < self._load.jobs and until - self._next < self._load.rate * _CHUNK_SECONDS:
            return
        messages = [_Message(number, self._users) for number in range(self._next, until)]
        rows = [each.arguments(self._moment(each.number)) for each in messages if not each.is_urgent]
        if rows:
            self._producer.send_many(rows)
        self._next = until
        self._to_cancel += [each.number for each in messages if each.is_cancelled]

    def _cancel(self) -> None:
        while self._to_cancel:
            if self._producer.cancel(reference=str(self._to_cancel[0])):
                self.cancelled.add(self._to_cancel[0])
            self._to_cancel.popleft()


def number_of(send: ReceivedSend) -> int | None:
    """Return which message the sandbox read; None for one that is none of ours."""
    body: Any = send.body
    try:
        return int(body["data"]["thing1"]["value"].removeprefix("第").removesuffix("条"))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
