"""The plan: which fault, on which process, when. Data only; the same seed makes the same plan.

Kills come at even distances and strike at random. Everything else (servers, the sandbox) is dealt from a shuffled deck,
so that a run of any length has met each fault once before it meets one twice.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DOOR", "FIRST_BEAT", "SECOND_BEAT", "Fault", "Kind", "Load", "Plan"]

FIRST_BEAT, SECOND_BEAT, DOOR = "beat", "beat-2", "http"


class Kind(StrEnum):
    """What goes wrong. A kill is SIGKILL; a restart lets the server end in its own way."""

    KILL_WORKER = "kill worker"
    KILL_CHILD = "kill worker's child"
    KILL_BEAT = "kill beat"
    KILL_DOOR = "kill HTTP door"
    KILL_VALKEY = "kill Valkey"
    RESTART_VALKEY = "restart Valkey"
    FLUSH_VALKEY = "flush Valkey"
    KILL_POSTGRES = "kill PostgreSQL"
    RESTART_POSTGRES = "restart PostgreSQL"
    SLOW_SANDBOX = "slow sandbox"
    DROPPING_SANDBOX = "dropping sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many jobs come in, and how many a second. Their moments lie `span` seconds from first to last."""

    jobs: int
    rate: float

    @property
    def span(self) -> float:
        """Seconds from the first job's moment to the last one's."""
        return self.jobs / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, `at` seconds after the first job's moment. `draw` in [0, 1) chooses where there is a choice left."""

    at: float
    kind: Kind
    target: str = ""
    draw: float = 0.0


# By how many there are of each: one process is as likely as another.
_VICTIMS: Sequence[tuple[Kind, str, int]] = (
    (Kind.KILL_WORKER, "bulk", 1),
    (Kind.KILL_CHILD, "bulk", 2),
    (Kind.KILL_WORKER, "urgent", 1),
    (Kind.KILL_CHILD, "urgent", 1),
    (Kind.KILL_WORKER, "ticks", 1),
    (Kind.KILL_CHILD, "ticks", 1),
    (Kind.KILL_BEAT, FIRST_BEAT, 1),
    (Kind.KILL_BEAT, SECOND_BEAT, 1),
    (Kind.KILL_DOOR, DOOR, 1),
)

_DECK = (
    Kind.KILL_VALKEY,
    Kind.RESTART_VALKEY,
    Kind.FLUSH_VALKEY,
    Kind.KILL_POSTGRES,
    Kind.RESTART_POSTGRES,
    Kind.SLOW_SANDBOX,
    Kind.DROPPING_SANDBOX,
)
_DECK_SECONDS = 8.0
"""How often a card is dealt, unless the run is too short to see them all at that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that will go wrong, in order of time."""

    seed: int
    load: Load
    faults: Sequence[Fault]

    @classmethod
    def of(cls, seed: int, load: Load, *, kill_every: float) -> "Plan":
        """Make the plan of a seed: a kill each `kill_every` seconds while jobs fall due, and the deck between them."""
        chance = random.Random(seed)  # noqa: S311 - reproducible, no secret
        faults = [*_kills(chance, load.span, kill_every), *_others(chance, load.span)]
        return cls(seed=seed, load=load, faults=sorted(faults, key=lambda fault: fault.at))


def _kills(chance: random.Random, span: float, every: float) -> Iterator[Fault]:
    weights = [weight for _, _, weight in _VICTIMS]
    for number in range(1, int(span / every) + 1):
        [(kind, target, _)] = chance.choices(_VICTIMS, weights)
        yield Fault(at=number * every, kind=kind, target=target, draw=chance.random())


def _others(chance: random.Random, span: float) -> Iterator[Fault]:
    every = min(_DECK_SECONDS, span / (len(_DECK) + 1))
    deck: list[Kind] = []
    for number in range(1, int(span / every)):
        deck = deck or chance.sample(_DECK, len(_DECK))
        yield Fault(at=number * every, kind=deck.pop(), draw=chance.random())
