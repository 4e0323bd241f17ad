"""The account: what was planned against what the sandbox read, job by job, and every promise that was broken.

Our own records are asked where a job stands and why; whether it was sent is decided by the sandbox's log alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pushjobs.chaos.plan import Kind, Plan
from pushjobs.chaos.traffic import number_of
from pushjobs.domain.job import JobState
from pushjobs.sandbox.client import ReceivedSend, Summary
from pushjobs.store.ledger import Held, Row

__all__ = ["Deaths", "Doubts", "Ledger", "Records", "Result"]

_LONGEST_DECISION = 20.0

_STALLED = 1.25
"""What a second may seem to hold beyond the limit: a sandbox that had to wait for a processor reads what came meanwhile
at once, and takes down when it read it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What is counted: our rows, the sandbox's log, and the numbers of what was cancelled by its owner's word."""

    planned: int
    cancelled: AbstractSet[int]
    rows: Sequence[Row]
    received: Sequence[ReceivedSend]
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What became of everything planned. `lateness`: seconds from moment to arrival of what was sent, sorted.

    `lost`: planned and not stored; `doubled`: stored more than once. `repeats`: accepted by the sandbox again;
    `unseen`: `sent` by our word, never accepted; `leaked`: accepted, though closed as not sent; `strangers`: accepted,
    and never planned; `ignored`: cancelled by its owner's word, and not `cancelled`.
    """

    planned: int
    counts: Mapping[JobState, int]
    lost: int
    doubled: int
    repeats: int
    unseen: int
    leaked: int
    strangers: int
    ignored: int
    lateness: Sequence[float] = field(repr=False)

    @classmethod
    def of(cls, records: Records) -> "Ledger":
        """Count."""
        accepted: Counter[int | None] = Counter()
        arrived: dict[int | None, float] = {}
        for send in records.received:
            if send.errcode == 0:
                number = number_of(send)
                accepted[number] += 1
                arrived.setdefault(number, send.arrived_at)
        stored = Counter(_number(row) for row in records.rows)
        rows = {_number(row): row for row in records.rows}
        may_have_arrived = {JobState.SENT, JobState.IN_DOUBT, JobState.SENDING}
        moments = {number: row.planned_at.timestamp() for number, row in rows.items()}
        return cls(
            planned=records.planned,
            counts={state: sum(row.state is state for row in records.rows) for state in JobState},
            lost=len(set(range(records.planned)) - rows.keys()),
            doubled=sum(count - 1 for count in stored.values()),
            repeats=sum(count - 1 for count in accepted.values()),
            unseen=sum(row.state is JobState.SENT and number not in accepted for number, row in rows.items()),
            leaked=sum(rows[number].state not in may_have_arrived for number in accepted if number in rows),
            strangers=len(accepted.keys() - rows.keys()),
            ignored=sum(rows[number].state is not JobState.CANCELLED for number in records.cancelled & rows.keys()),
            lateness=sorted(arrived[number] - moments[number] for number in arrived if number in moments),
        )

    @property
    def open(self) -> int:
        """How many jobs have not come to their end."""
        return sum(count for state, count in self.counts.items() if not state.is_final)

    @property
    def early(self) -> int:
        """How many arrived before their moment."""
        return sum(late < 0 for late in self.lateness)

    @property
    def faults(self) -> Mapping[str, int]:
        """What must not be, by what it is."""
        return {
            "jobs sent twice": self.repeats,
            "jobs sent before their moment": self.early,
            "jobs lost after they were accepted": self.lost,
            "jobs accepted twice under one idempotency key": self.doubled,
            "jobs that are `sent` and never arrived": self.unseen,
            "jobs that arrived and are closed as not sent": self.leaked,
            "messages that nobody planned": self.strangers,
            "jobs cancelled by their owner and not `cancelled`": self.ignored,
            "jobs that never came to an end": self.open,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """Releases that ended in doubt, whatever became of their jobs since, by what put them there.

    `in_hand`: releases that were `sending` at the kills, of which those `by_kill` are a part. `by_sandbox`: it kept the
    answer. `unexplained`: neither accounts for it.
    """

    in_hand: int
    by_kill: int
    by_sandbox: int
    unexplained: int

    @classmethod
    def of(cls, doubted: AbstractSet[Held], in_hand: AbstractSet[Held], records: Records) -> "Doubts":
        """Compare. What the sandbox dropped unread is in nobody's log: each accounts for one doubt, whichever."""
        spoilt = {number_of(send) for send in records.received if send.fault is not None}
        jobs = {row.id for row in records.rows if _number(row) in spoilt}
        others = doubted - in_hand
        unknown = sum(held.id not in jobs for held in others)
        unexplained = max(0, unknown - records.summary.dropped)
        return cls(
            in_hand=len(in_hand),
            by_kill=len(doubted & in_hand),
            by_sandbox=len(others) - unexplained,
            unexplained=unexplained,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaths:
    """How long after the kills what was in hand was decided, sorted seconds; `undecided`: what never was."""

    decided_after: Sequence[float]
    undecided: int

    @classmethod
    def of(cls, seconds: Sequence[float | None]) -> "Deaths":
        """Take apart what was decided and what was not."""
        decided = sorted(each for each in seconds if each is not None)
        return cls(decided_after=decided, undecided=len(seconds) - len(decided))

    @property
    def slowest(self) -> float:
        """Seconds until the last was decided."""
        return self.decided_after[-1] if self.decided_after else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to.

    `done` and `missed`: faults by kind, and those that found nobody to strike; `unread`: kills after which nobody could
    be asked what was in hand. `failed_calls`: the producer's, each made again. `ended_by_themselves`: processes that
    ended though nobody killed them, by name and status. `missing`: those that had not come back at the end.
    """

    plan: Plan
    ledger: Ledger
    doubts: Doubts
    deaths: Deaths
    done: Mapping[Kind, int]
    missed: Mapping[Kind, int]
    unread: int
    peak_per_second: int
    most_per_second: float
    failed_calls: int
    ended_by_themselves: Mapping[str, int]
    missing: Sequence[str]
    seconds: float

    @property
    def broken(self) -> list[str]:
        """Say which promises were broken, and how often; nothing if none was."""
        counted = {
            **self.ledger.faults,
            "jobs of killed processes that were never decided": self.deaths.undecided,
            "jobs in doubt that no killed process had in hand": self.doubts.unexplained,
            "kills after which PostgreSQL could not be asked what was in hand": self.unread,
        }
        said = [f"{count} {what}" for what, count in counted.items() if count]
        if (slowest := self.deaths.slowest) > _LONGEST_DECISION:
            said.append(f"a killed process' jobs decided after {slowest:.1f} s (promised: {_LONGEST_DECISION:.0f} s)")
        if self.peak_per_second > self.most_per_second * _STALLED:
            said.append(f"{self.peak_per_second} calls within a second (the limit is {self.most_per_second:g})")
        return said + [f"{name} did not come back" for name in self.missing]


def _number(row: Row) -> int:
    """Return which message a job is for; -1 for one that is none of ours."""
    return int(row.reference) if row.reference is not None and row.reference.isdecimal() else -1
