"""Pauses as rows: read at every claim and admission, so that they take hold everywhere within a tick."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.job import Lane
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.store.database import statement

__all__ = ["active", "hold_all", "lift", "lift_breaker", "pause", "take_probe"]

_ACTIVE = statement("""
SELECT p.*, t.template_id,
       extract(epoch FROM p.until - now())::float AS until_in,
       extract(epoch FROM p.probe_at - now())::float AS probe_in
  FROM pushjobs.pauses p LEFT JOIN pushjobs.templates t USING (template_no)
 WHERE (p.until IS NULL OR p.until > now()) AND (p.app_no = :app_no OR :app_no IS NULL)
 ORDER BY p.pause_no""")

# The same pause again (another worker saw the same fault) keeps its beginning and ends at the later end.
_PAUSE = statement("""
INSERT INTO pushjobs.pauses AS p (app_no, template_no, lane, reason, errcode, note, until, probe_at)
VALUES (:app_no, :template_no, CAST(:lane AS pushjobs.lane), :reason, :errcode, :note,
        coalesce(CAST(:until AS timestamptz), now() + make_interval(secs => CAST(:until_in AS float))),
        now() + make_interval(secs => CAST(:probe_in AS float)))
    ON CONFLICT (app_no, template_no, lane, reason) DO UPDATE
   SET since = CASE WHEN p.until < now() THEN now() ELSE p.since END,
       errcode = excluded.errcode,
       note = coalesce(excluded.note, p.note),
       until = CASE WHEN p.until < now() THEN excluded.until
                    WHEN p.until IS NULL OR excluded.until IS NULL THEN NULL
                    ELSE greatest(p.until, excluded.until) END,
       probe_at = CASE WHEN p.until < now() OR p.probe_at IS NULL THEN excluded.probe_at ELSE p.probe_at END
RETURNING (since = now()) AS is_new""")

_HOLD_ALL = statement("""
INSERT INTO pushjobs.pauses AS p (app_no, reason, note)
SELECT app_no, :reason, :note FROM pushjobs.apps
    ON CONFLICT (app_no, template_no, lane, reason) DO UPDATE SET since = now(), note = excluded.note, until = NULL""")

_LIFT = statement("""
DELETE FROM pushjobs.pauses
 WHERE app_no = :app_no AND template_no IS NOT DISTINCT FROM CAST(:template_no AS int)
   AND lane IS NOT DISTINCT FROM CAST(:lane AS pushjobs.lane)""")

# One of the callers that ask at the same moment gets the row's lock and the probe, the others find it moved on.
_TAKE_PROBE = statement("""
UPDATE pushjobs.pauses SET probe_at = now() + make_interval(secs => :again_in)
 WHERE pause_no = :pause_no AND probe_at <= now()
RETURNING pause_no""")

_LIFT_BREAKER = statement("DELETE FROM pushjobs.pauses WHERE app_no = :app_no AND reason = :reason")


def active(connection: Connection, app_no: int | None = None) -> list[Pause]:
    """Return the pauses in force, of one app or of all."""
    return [_pause(row) for row in connection.execute(_ACTIVE, {"app_no": app_no})]


def pause(connection: Connection, app_no: int, reason: PauseReason, **more: Any) -> bool:  # noqa: ANN401 - see below
    """Pause; tell whether that is news. `more`: template_no, lane, errcode, note, until or until_in, probe_in."""
    unset = dict.fromkeys(("template_no", "lane", "errcode", "note", "until", "until_in", "probe_in"))
    row = connection.execute(_PAUSE, {**unset, **more, "app_no": app_no, "reason": reason}).one()
    return bool(row.is_new)


def hold_all(connection: Connection, *, note: str) -> None:
    """Pause every app as `restored`, until somebody resumes it."""
    connection.execute(_HOLD_ALL, {"reason": PauseReason.RESTORED, "note": note})


def lift(connection: Connection, app_no: int, *, template_no: int | None = None, lane: Lane | None = None) -> int:
    """Lift every pause on exactly this; return how many there were."""
    values = {"app_no": app_no, "template_no": template_no, "lane": lane}
    return connection.execute(_LIFT, values).rowcount


def lift_breaker(connection: Connection, app_no: int, reason: PauseReason) -> bool:
    """Close a breaker; tell whether it was open."""
    return connection.execute(_LIFT_BREAKER, {"app_no": app_no, "reason": reason}).rowcount > 0


def take_probe(connection: Connection, pauses: Sequence[Pause], *, again_in: float) -> bool:
    """Take the right to try one job past the pauses, all of which must have a probe that is due.

    `again_in`: seconds until the next one is.
    """
    values = [{"pause_no": each.pause_no, "again_in": again_in} for each in pauses]
    return all(connection.execute(_TAKE_PROBE, each).one_or_none() is not None for each in values)


def _pause(row: Any) -> Pause:  # noqa: ANN401 - a row of the statement above
    return Pause(
        pause_no=row.pause_no,
        app_no=row.app_no,
        template_no=row.template_no,
        template_id=row.template_id,
        lane=None if row.lane is None else Lane(row.lane),
        reason=PauseReason(row.reason),
        errcode=row.errcode,
        note=row.note,
        since=row.since,
        until=row.until,
        until_in=row.until_in,
        probe_in=row.probe_in,
    )
