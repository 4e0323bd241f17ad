"""Forgetting users: their messages erased, what waits cancelled, and nothing of it lost to a crash.

An erasure is a row from the moment it is asked for until nothing of the user's is left: who asked may die at any
point, and a tick goes on. Only jobs whose numbers were drawn by then are meant: a user who comes back is a new one.
States, times and charges stay as they are, under the keyed hash by which quotas are counted.

Refuses to touch a job that is being sent: its worker has its message in hand. It is let end, and then erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.job import Reason
from pushjobs.domain.lifecycle import Transition
from pushjobs.store import runs
from pushjobs.store.database import as_json, statement
from pushjobs.store.outcomes import note

__all__ = [
    "Erased",
    "OpenPush",
    "User",
    "ask",
    "delete_pushes",
    "erase",
    "erase_consents",
    "erase_members",
    "erase_planned",
    "erase_told",
    "finish",
    "open_pushes",
    "pending",
    "under_way",
]


@dataclass(frozen=True, slots=True, order=True)
class User:
    """Somebody to be forgotten."""

    app_no: int
    recipient: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many `jobs` a page erased, `cancelled` among them, and whose they were."""

    jobs: int
    cancelled: int
    users: frozenset[User]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPush:
    """A callback that still waits, or died, on its way to the app's own door."""

    push_no: int
    key: bytes
    sealed: bytes


_USERS = """users AS (
    SELECT u.app_no, decode(u.recipient, 'hex') AS recipient
      FROM json_to_recordset(:users) AS u(app_no smallint, recipient text)
)"""
_ASK = statement(f"""
WITH {_USERS}
INSERT INTO pushjobs.erasures AS e (app_no, recipient, up_to)
SELECT DISTINCT app_no, recipient, (SELECT last_value FROM pushjobs.jobs_id_seq) FROM users ORDER BY app_no, recipient
    ON CONFLICT (app_no, recipient) DO UPDATE SET up_to = excluded.up_to, asked_at = excluded.asked_at""")  # noqa: S608 - a constant of ours, no input

# SKIP LOCKED: whoever admits or settles a job just now goes first, and the tick sees what became of it.
_ERASE = statement(
    f"""
WITH {_USERS}, mine AS MATERIALIZED (
    SELECT j.id, j.state AS was FROM users u JOIN pushjobs.erasures e USING (app_no, recipient)
      JOIN pushjobs.jobs j ON j.recipient = e.recipient AND j.app_no = e.app_no AND j.id <= e.up_to
     WHERE j.sealed IS NOT NULL AND j.state <> 'sending'
     ORDER BY j.id LIMIT :limit FOR UPDATE OF j SKIP LOCKED
), moved AS (
    UPDATE pushjobs.jobs j
       SET sealed = NULL, content_no = NULL, reference = NULL, lease_until = NULL,
           state = CASE WHEN m.was {{cancel.sources}} THEN {{cancel.target}} ELSE j.state END,
           reason = CASE WHEN m.was {{cancel.sources}} THEN :reason ELSE j.reason END,
           closed_at = CASE WHEN m.was {{cancel.sources}} THEN clock_timestamp() ELSE j.closed_at END
      FROM mine m WHERE j.id = m.id
 RETURNING j.id, j.app_no, j.recipient, j.release_no, j.state, j.reason, m.was, j.errcode, j.client_no,
           CASE WHEN m.was {{cancel.sources}} THEN j.closed_at END AS closed_at
), told AS (
    INSERT INTO pushjobs.job_history (job_id, release_no, transition, state, reason)
    SELECT id, release_no, 'cancel', state, reason FROM moved WHERE was {{cancel.sources}}
), {note()}
SELECT app_no, recipient, was {{cancel.sources}} AS is_cancelled FROM moved""",  # noqa: S608 - constants of ours
    Transition.CANCEL,
)

# A yes that came after the request is a new one, of somebody who came back.
_CONSENTS = statement(f"""
WITH {_USERS}, mine AS MATERIALIZED (
    SELECT c.app_no, c.recipient, c.template_no
      FROM users u JOIN pushjobs.erasures e USING (app_no, recipient) JOIN pushjobs.consents c USING (app_no, recipient)
     WHERE c.granted_at IS NULL OR c.granted_at < e.asked_at
     ORDER BY c.app_no, c.recipient, c.template_no FOR UPDATE OF c
)
DELETE FROM pushjobs.consents c USING mine m
 WHERE c.app_no = m.app_no AND c.recipient = m.recipient AND c.template_no = m.template_no""")  # noqa: S608 - a constant

# Both look through their tables: an index for this would be written with every event, and forgetting is rare.
_EVENTS = statement(f"""
WITH {_USERS}
DELETE FROM pushjobs.events e USING users u WHERE e.app_no = u.app_no AND e.recipient = u.recipient""")  # noqa: S608 - a constant of ours, no input
_FORM_IDS = statement(f"""
WITH {_USERS}, held AS (
    SELECT f.app_no, f.form_id
      FROM pushjobs.form_ids f, unnest(f.holders) AS h(job_id)
     WHERE h.job_id IN (SELECT j.id FROM pushjobs.jobs j JOIN users u USING (app_no, recipient))
), mine AS MATERIALIZED (
    SELECT app_no, form_id FROM pushjobs.form_ids
     WHERE (app_no, form_id) IN (SELECT app_no, form_id FROM held) ORDER BY app_no, form_id FOR UPDATE
)
DELETE FROM pushjobs.form_ids WHERE (app_no, form_id) IN (SELECT app_no, form_id FROM mine)""")  # noqa: S608 - a constant of ours, no input

# What is being uploaded first: a piece that is being written has ended by then. Those that are complete may be being
# read this moment, so their users go in a transaction of their own, before runs are waited for.
_UPLOADS = statement("""
SELECT audience_no FROM pushjobs.audiences WHERE uploaded_at IS NULL ORDER BY audience_no FOR UPDATE""")
_AUDIENCES = statement(f"""
WITH {_USERS}
DELETE FROM pushjobs.audience_members m USING users u WHERE m.app_no = u.app_no AND m.recipient = u.recipient""")  # noqa: S608 - a constant of ours, no input

# The runs' rows first: whoever is making jobs of a snapshot this moment has ended by then, and its jobs are found as
# all others are. After the commit no chunk sees these users any more.
_RUNS = statement("""
SELECT run_no FROM pushjobs.runs WHERE finished_at IS NULL AND read_at IS NOT NULL ORDER BY run_no FOR UPDATE""")

# A run whose audience is being read is waited for, however long that takes: it may have read of these users before they
# were deleted there. Whoever reads holds this lock (`runs.lock`); which begins now reads of them no more.
_UNBOUNDED = statement("SET LOCAL statement_timeout = 0")
_READING = statement("""
SELECT pg_advisory_xact_lock(:classid, run_no)
  FROM (SELECT run_no FROM pushjobs.runs
         WHERE finished_at IS NULL AND state = 'preparing' AND read_at IS NULL ORDER BY run_no) AS reading""")
_SNAPSHOTS = statement(f"""
WITH {_USERS}
DELETE FROM pushjobs.snapshots s USING users u WHERE s.app_no = u.app_no AND s.recipient = u.recipient""")  # noqa: S608 - a constant of ours, no input

_PENDING = statement("""
SELECT app_no, recipient FROM pushjobs.erasures
 WHERE (app_no, recipient) > (:app_no, :recipient) ORDER BY app_no, recipient LIMIT :limit""")
_UNDER_WAY = statement(f"""
WITH {_USERS}
SELECT count(*) FROM users u JOIN pushjobs.erasures e USING (app_no, recipient)
  JOIN pushjobs.jobs j ON j.recipient = e.recipient AND j.app_no = e.app_no AND j.id <= e.up_to
 WHERE j.sealed IS NOT NULL""")  # noqa: S608 - a constant of ours, no input

# A transaction that drew its numbers before the request may commit after it: an erasure outlasts all but those of
# applications that keep one open for longer.
_FINISH = statement(f"""
WITH {_USERS}
DELETE FROM pushjobs.erasures e USING users u
 WHERE e.app_no = u.app_no AND e.recipient = u.recipient AND e.asked_at < now() - interval '10 minutes'
   AND NOT EXISTS (SELECT FROM pushjobs.jobs j
                    WHERE j.recipient = e.recipient AND j.app_no = e.app_no AND j.id <= e.up_to
                      AND j.sealed IS NOT NULL)""")  # noqa: S608 - a constant of ours, no input

_PUSHES = statement("""
SELECT push_no, key, sealed FROM pushjobs.pushes
 WHERE state IN ('waiting', 'dead') AND app_no = :app_no AND push_no > :after AND sealed IS NOT NULL
 ORDER BY push_no LIMIT :limit""")
_DELETE_PUSHES = statement("DELETE FROM pushjobs.pushes WHERE push_no = ANY (:numbers)")


def ask(connection: Connection, users: Sequence[User]) -> None:
    """Note that users are to be forgotten; asking again takes in what came since."""
    connection.execute(_ASK, _named(users))


def erase(connection: Connection, users: Sequence[User], *, limit: int) -> Erased:
    """Erase at most `limit` jobs of these users, if that was asked for; what waits is cancelled."""
    rows = list(connection.execute(_ERASE, {**_named(users), "limit": limit, "reason": Reason.FORGOTTEN}))
    return Erased(
        jobs=len(rows),
        cancelled=sum(row.is_cancelled for row in rows),
        users=frozenset(User(row.app_no, bytes(row.recipient)) for row in rows),
    )


def erase_consents(connection: Connection, users: Sequence[User]) -> None:
    """Delete what is known of these users' consents from before it was asked that they be forgotten."""
    connection.execute(_CONSENTS, _named(users))


def erase_members(connection: Connection, users: Sequence[User]) -> None:
    """Delete these users from the audiences that were uploaded."""
    connection.execute(_UPLOADS)
    connection.execute(_AUDIENCES, _named(users))


def erase_planned(connection: Connection, users: Sequence[User]) -> None:
    """Delete these users from what runs of campaigns are to make jobs of; to be committed before `ask`.

    What `erase_members` did is to be committed before it.
    """
    connection.execute(_UNBOUNDED)
    connection.execute(_READING, {"classid": runs.CLASSID})
    connection.execute(_RUNS)
    connection.execute(_SNAPSHOTS, _named(users))


def erase_told(connection: Connection, users: Sequence[User]) -> None:
    """Delete what WeChat told of these users, and which form ids their jobs hold."""
    connection.execute(_EVENTS, _named(users))
    connection.execute(_FORM_IDS, _named(users))


def under_way(connection: Connection, users: Sequence[User]) -> int:
    """Return how many jobs of these users are not erased yet: they are being sent."""
    return int(connection.execute(_UNDER_WAY, _named(users)).scalar_one())


def pending(connection: Connection, *, after: User, limit: int) -> list[User]:
    """Return users whose erasure is not over, in their order behind `after`."""
    values = {"app_no": after.app_no, "recipient": after.recipient, "limit": limit}
    return [User(row.app_no, bytes(row.recipient)) for row in connection.execute(_PENDING, values)]


def finish(connection: Connection, users: Sequence[User]) -> None:
    """End the erasures that left nothing behind and are old enough that nothing can come late."""
    connection.execute(_FINISH, _named(users))


def open_pushes(connection: Connection, app_no: int, *, after: int, limit: int) -> list[OpenPush]:
    """Return callbacks that are not forwarded, behind the number `after`."""
    rows = connection.execute(_PUSHES, {"app_no": app_no, "after": after, "limit": limit})
    return [OpenPush(push_no=row.push_no, key=bytes(row.key), sealed=bytes(row.sealed)) for row in rows]


def delete_pushes(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete callbacks that are not to be forwarded after all."""
    connection.execute(_DELETE_PUSHES, {"numbers": list(numbers)})


def _named(users: Sequence[User]) -> dict[str, Any]:
    return {"users": as_json([{"app_no": user.app_no, "recipient": user.recipient.hex()} for user in users])}
