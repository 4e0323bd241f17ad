"""The rate limiter: slots in the future, reserved atomically in Redis on Redis' clock.

Refuses to: let anybody send without Redis, give a slot beyond a short horizon (whoever dies with slots in hand leaves
at most a horizon of work), save up unused slots for a burst. Redis holds three numbers an app, and may lose them at any
time: the pace then starts one horizon later, behind whatever was given before.

The invariant: two slots are never closer than a spacing, whichever processes hold them, and a call leaves within 20 ms
of its slot. Spacings are those of 0.97 of the limit, so that 1.02 s of slots still fit into one sliding second.

Lanes: whatever is free within 250 ms goes to whoever asks first. Behind that `urgent` may reach to 750 ms, and so past
a bulk lane that takes every slot it can; it does so for its share of the rate, up to a second's worth of the whole rate
at once. Nothing is set aside: what urgent does not ask for, bulk has.

When the limit changes, the next reservation keeps the new spacing from the last slot given. Slots given before stay
valid: until they are used up, at most 750 ms later, a sliding second may hold them on top of a lowered limit.

A known weakness: when Redis' clock steps forward, slots given within the horizon before are given a second time.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from pushjobs import clock
from pushjobs.domain.job import Lane
from pushjobs.errors import InvalidInput, Unreachable
from pushjobs.pace.slots import Grant, Wait

__all__ = ["Limit", "Pace"]

_USED = 0.97
_VALID_SECONDS = 0.020
_SLOWEST_REPLY_SECONDS = 0.010
_TRIES = 3

_NEAR_SECONDS = 0.250
_FAR_SECONDS = 0.750
_BURST_SECONDS = 1.0
_CHUNK_SECONDS = 0.050
_HEAD_START_SECONDS = _CHUNK_SECONDS
_LONGEST_WAIT_SECONDS = 1.0  # a change of the limit takes hold within it
_LATEST_SECONDS = _NEAR_SECONDS - _CHUNK_SECONDS

_KEPT_SECONDS = 7 * 86_400
"""A cold start costs a horizon, so an app that was quiet for an hour should not have one."""

_HIGHEST_RATE = 100_000

_SCRIPT = Path(__file__).with_name("reserve.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many calls may leave in any sliding second, and which share of them `urgent` may take ahead of bulk.

    With a share of 0 both lanes are served as they come; with 1 bulk has only what urgent leaves. Raises
    `InvalidInput`.
    """

    per_second: float
    urgent_share: float

    def __post_init__(self) -> None:
        if not 0 < self.per_second <= _HIGHEST_RATE:
            raise InvalidInput("per_second", f"is {self.per_second:g}", f"give more than 0, at most {_HIGHEST_RATE}")
        if not 0 <= self.urgent_share <= 1:
            raise InvalidInput("urgent_share", f"is {self.urgent_share:g}", "give a share from 0 to 1")

    @property
    def spacing(self) -> float:
        """Seconds from one slot to the next."""
        return 1 / (_USED * self.per_second)


class Pace:
    """The pace of one app, shared through Redis; any number a process, for any thread.

    `limit` is asked at each reservation: a change takes hold with the next one. `redis` brings its own time-out, and
    one more try for a connection that was closed while it was idle.
    """

    def __init__(self, redis: Redis, appid: str, limit: Callable[[], Limit]) -> None:
        self._redis = redis
        self._key = f"pushjobs:pace:{appid}"
        self._limit = limit

    def reserve(self, count: int, lane: Lane, *, after: float = 0.0) -> Grant | Wait:
        """Reserve `count` slots, or the 50 ms' worth of them that is given at once; or say when to ask again.

        None lies earlier than `after` seconds from now (at most 0.2): a slot that opens while its jobs are still being
        admitted is lost. Raises `Unreachable` when Redis does not answer, or so slowly that the slots would be over.
        """
        if count < 1 or not 0 <= after <= _LATEST_SECONDS:
            raise ValueError(f"cannot reserve {count} slots after {after:g} s: at least 1, after 0 to 0.2 s")
        limit = self._limit()
        chunk = min(count, max(1, math.floor(_CHUNK_SECONDS / limit.spacing)))
        took = 0.0
        for _ in range(_TRIES):
            asked_at = clock.monotonic()
            is_given, distance = self._ask(limit, lane, chunk, after)
            received_at = clock.monotonic()
            if not is_given:
                return Wait(seconds=min(distance, _LONGEST_WAIT_SECONDS))
            # Redis read its clock somewhere between the two: a slot opens by the later and closes by the earlier, so
            # that neither end can be wrong. A reply that took too long, or a process that was stopped, leaves nothing.
            took = received_at - asked_at
            if took <= _SLOWEST_REPLY_SECONDS:
                return Grant(
                    first=received_at + distance, spacing=limit.spacing, count=chunk, valid_for=_VALID_SECONDS - took
                )
        raise Unreachable(f"Redis takes {took * 1000:.0f} ms to answer: a slot cannot be kept to within 20 ms")

    def _ask(self, limit: Limit, lane: Lane, chunk: int, after: float) -> tuple[bool, float]:
        """Run the script; return whether slots were given, and the seconds to the first one or to the next try."""
        arguments = (
            limit.spacing * 1e6,
            chunk,
            after * 1e6,
            _NEAR_SECONDS * 1e6,
            _FAR_SECONDS * 1e6,
            limit.urgent_share if lane is Lane.URGENT else 0,
            max(_BURST_SECONDS, limit.spacing) * 1e6,
            _KEPT_SECONDS,
            _HEAD_START_SECONDS * 1e6,
        )
        try:
            try:
                reply = self._redis.evalsha(_SHA, 1, self._key, *arguments, 0)
            except NoScriptError:
                # EVAL both teaches and runs the script: loading it first would let another process run it on a key
                # that the restart has left behind the slots given.
                reply = self._redis.eval(_SCRIPT, 1, self._key, *arguments, 1)
        except (RedisError, OSError) as error:
            raise Unreachable(f"Redis does not answer ({type(error).__name__}): it gives the slots") from None
        is_given, microseconds = reply
        return bool(is_given), microseconds / 1e6


def ping(redis: Redis) -> None:
    """Raise `Unreachable` when Redis does not answer."""
    try:
        redis.ping()
    except (RedisError, OSError) as error:
        raise Unreachable(f"Redis does not answer ({type(error).__name__}): it gives the slots") from None
