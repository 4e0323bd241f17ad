"""The script against a model of it in Python: any state, any request, the same answer."""

import math
from dataclasses import dataclass, replace
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from pushjobs.domain.job import Lane
from pushjobs.local.servers import EmbeddedServers
from pushjobs.pace import Limit, Pace

NEAR, FAR, SECOND, HEAD_START = 250_000, 750_000, 1_000_000, 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the script should know and say, in microseconds of the server's clock."""

    last: float
    paid: float
    is_others_turn: bool

    def reserve(self, now: int, limit: Limit, lane: Lane, slots: int, after: float) -> tuple[bool, float, "Model"]:
        """Say whether the slots are given; how far off the first is, or how long to wait; and what is known then."""
        spacing = limit.spacing * 1e6
        has_share = lane is Lane.URGENT and limit.urgent_share > 0
        known = replace(self, last=min(self.last, now + FAR))
        first = max(known.last + spacing, now + after * 1e6)
        final = first + (slots - 1) * spacing
        wait = final - now - NEAR
        if has_share and self.is_others_turn and first > now + after * 1e6:
            wait += HEAD_START
        if wait <= 0:
            return True, first - now, replace(known, last=final, is_others_turn=has_share)
        waits = [wait]
        if has_share:
            most = max(SECOND, spacing)
            owed = min(most, max(0, known.paid - now) * limit.urgent_share) + slots * spacing
            if owed <= most and final <= now + FAR:
                return True, first - now, replace(known, last=final, paid=now + owed / limit.urgent_share)
            waits.append(max(final - now - FAR, (owed - most) / limit.urgent_share))
        return False, min(waits), known


def clock_of(redis: Redis) -> int:
    """Return the server's clock in microseconds."""
    seconds, microseconds = redis.time()
    return seconds * 1_000_000 + microseconds


def is_between(value: float, one: float, other: float) -> bool:
    """Tell whether a value lies between two others, give or take what is lost by rounding to a microsecond."""
    return min(one, other) - 2 <= value <= max(one, other) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A state, as distances from now, and a request."""

    last: int
    paid: int
    is_others_turn: bool
    limit: Limit
    lane: Lane
    asked: int
    after: float


CASES = st.builds(
    Case,
    last=st.integers(-2_000_000, 2_000_000),
    paid=st.integers(-1_000_000, 12_000_000),
    is_others_turn=st.booleans(),
    limit=st.builds(
        Limit,
        per_second=st.one_of(st.floats(0.1, 10), st.floats(10, 100_000)),
        urgent_share=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]),
    ),
    lane=st.sampled_from(Lane),
    asked=st.integers(1, 500),
    after=st.floats(0, 0.2),
)


@settings(max_examples=200, deadline=None)
@given(case=CASES)
def test_script_and_model_agree(servers: EmbeddedServers, case: Case) -> None:
    """Whatever was given before and whatever is asked, the script answers and remembers what the model does."""
    appid = f"wx{uuid4().hex}"
    key = f"pushjobs:pace:{appid}"
    slots = min(case.asked, max(1, math.floor(0.05 / case.limit.spacing)))
    request = (case.limit, case.lane, slots, case.after)
    with Redis.from_url(servers.redis_url) as redis:
        pace = Pace(redis, appid, lambda: case.limit)
        pace.reserve(1, case.lane)  # the server knows the script from here on
        now = clock_of(redis)
        model = Model(last=now + case.last, paid=now + case.paid, is_others_turn=case.is_others_turn)
        redis.set(key, f"{now + case.last} {now + case.paid} {case.is_others_turn:d}", ex=60)
        early = model.reserve(clock_of(redis), *request)
        is_given, seconds = pace._ask(*request)
        late = model.reserve(clock_of(redis), *request)
        state = redis.get(key)
        redis.delete(key)
    assert isinstance(state, bytes)
    if early[0] is not late[0]:
        return  # on the very edge: the answer changes while the script is on its way
    assert is_given is early[0]
    assert is_between(seconds * 1e6, early[1], late[1])
    last, paid, others_turn = map(int, state.split())
    assert is_between(last, early[2].last, late[2].last)
    assert is_between(paid, early[2].paid, late[2].paid)
    assert bool(others_turn) is early[2].is_others_turn
