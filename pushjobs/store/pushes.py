"""Callbacks on their way to the app's own door: sealed as they came, tried again until they are taken.

A claim is a promise for a while, not a lock: no transaction is open during a call, and where a forwarder died the next
one takes over. What was taken is kept without its content, so that WeChat's repeats stay known.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.receipt import PushState
from pushjobs.store.database import as_json, statement

__all__ = ["NewPush", "Tried", "WaitingPush", "claim", "counts", "revive", "settle", "store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPush:
    """A push about to be stored."""

    key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPush:
    """A push to be forwarded; `attempts` counts this one."""

    push_no: int
    key: bytes
    sealed: bytes
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of an attempt. Not taken: tried again in `wait` seconds, or never where that is None."""

    push_no: int
    is_taken: bool
    wait: float | None = None


_STORE = statement("""
INSERT INTO pushjobs.pushes (app_no, key, sealed)
SELECT :app_no, decode(p.key, 'hex'), decode(p.sealed, 'base64')
  FROM json_to_recordset(:pushes) AS p(key text, sealed text)
 ORDER BY p.key
    ON CONFLICT (app_no, key) DO NOTHING""")

# A door that does not answer costs a call's time-out for each push: while any waits for another try, few are risked.
_CLAIM = statement("""
WITH due AS MATERIALIZED (
    SELECT push_no FROM pushjobs.pushes
     WHERE state = 'waiting' AND try_at <= now() AND app_no = :app_no
     ORDER BY try_at, push_no
     LIMIT CASE WHEN EXISTS (SELECT FROM pushjobs.pushes WHERE state = 'waiting' AND attempts > 0 AND app_no = :app_no)
                THEN :few ELSE :limit END
       FOR UPDATE SKIP LOCKED
)
UPDATE pushjobs.pushes p SET attempts = p.attempts + 1, try_at = now() + make_interval(secs => :promise)
  FROM due WHERE p.push_no = due.push_no
RETURNING p.push_no, p.key, p.sealed, p.attempts""")

# Whoever overran the promise and comes second finds the push taken, or writes what is as true as the other's word.
_SETTLE = statement("""
UPDATE pushjobs.pushes p
   SET state = CASE WHEN t.is_taken THEN 'forwarded' WHEN t.wait IS NULL THEN 'dead' ELSE 'waiting' END
               ::pushjobs.push_state,
       sealed = CASE WHEN t.is_taken THEN NULL ELSE p.sealed END,
       try_at = coalesce(now() + make_interval(secs => t.wait), p.try_at)
  FROM json_to_recordset(:tried) AS t(push_no bigint, is_taken boolean, wait float)
 WHERE p.push_no = t.push_no AND p.state = 'waiting'""")


_COUNTS = statement("""
SELECT state, count(*) AS pushes FROM pushjobs.pushes
 WHERE state IN ('waiting', 'dead') AND app_no = :app_no GROUP BY state""")
_REVIVE = statement("""
UPDATE pushjobs.pushes SET state = 'waiting', attempts = 0, try_at = now()
 WHERE push_no IN (SELECT push_no FROM pushjobs.pushes
                    WHERE state = 'dead' AND app_no = :app_no ORDER BY push_no FOR UPDATE)""")


def store(connection: Connection, app_no: int, new: Sequence[NewPush]) -> None:
    """Store pushes to be forwarded; a repeat changes nothing."""
    rows = [{"key": push.key.hex(), "sealed": b64encode(push.sealed).decode()} for push in new]
    connection.execute(_STORE, {"app_no": app_no, "pushes": as_json(rows)})


def claim(connection: Connection, app_no: int, *, limit: int, few: int, promise: float) -> list[WaitingPush]:
    """Take at most `limit` pushes that are due, `few` while the door fails; they are ours for `promise` seconds."""
    values = {"app_no": app_no, "limit": limit, "few": few, "promise": promise}
    return [
        WaitingPush(push_no=row.push_no, key=bytes(row.key), sealed=bytes(row.sealed), attempts=row.attempts)
        for row in connection.execute(_CLAIM, values)
    ]


def settle(connection: Connection, tried: Sequence[Tried]) -> None:
    """Write what became of the attempts."""
    connection.execute(_SETTLE, {"tried": as_json([_row(one) for one in tried])})


def counts(connection: Connection, app_no: int) -> Mapping[PushState, int]:
    """Return how many pushes wait and how many are dead."""
    counted = {PushState(row.state): row.pushes for row in connection.execute(_COUNTS, {"app_no": app_no})}
    return {state: counted.get(state, 0) for state in (PushState.WAITING, PushState.DEAD)}


def revive(connection: Connection, app_no: int) -> int:
    """Have every dead push tried again, with all its attempts; return how many."""
    return connection.execute(_REVIVE, {"app_no": app_no}).rowcount


def _row(tried: Tried) -> dict[str, Any]:
    return {"push_no": tried.push_no, "is_taken": tried.is_taken, "wait": tried.wait}
