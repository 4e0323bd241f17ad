"""Each app's pace where it is not the setting's: changed by an operator, lowered when WeChat says too fast.

A lowered pace recovers by itself, evenly over a minute, computed where it is read: nothing ticks it up.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["StoredPace", "read", "set_pace", "slow_down"]

RECOVERY_SECONDS = 60.0
_LOWEST = 0.1

_READ = statement("""
SELECT per_second, least(1.0, slowed_to + (1.0 - slowed_to)
           * extract(epoch FROM now() - slowed_at)::float / :recovery) AS share
  FROM pushjobs.paces WHERE app_no = :app_no""")
_SET = statement("""
INSERT INTO pushjobs.paces (app_no, per_second) VALUES (:app_no, :per_second)
    ON CONFLICT (app_no) DO UPDATE SET per_second = excluded.per_second""")
# Halved from where it has recovered to; once a second, for one burst of refusals is one piece of news.
_SLOW_DOWN = statement("""
INSERT INTO pushjobs.paces AS p (app_no, slowed_to, slowed_at) VALUES (:app_no, 0.5, now())
    ON CONFLICT (app_no) DO UPDATE
   SET slowed_to = greatest(:lowest, 0.5 * least(1.0, coalesce(p.slowed_to + (1.0 - p.slowed_to)
           * extract(epoch FROM now() - p.slowed_at)::float / :recovery, 1.0))),
       slowed_at = now()
 WHERE p.slowed_at IS NULL OR p.slowed_at < now() - interval '1 second'""")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPace:
    """An app's pace: calls a second set at run time (None: the setting's), and the share of it that holds now."""

    per_second: float | None
    share: float


def read(connection: Connection, app_no: int) -> StoredPace:
    """Return the app's pace as it stands this moment."""
    row = connection.execute(_READ, {"app_no": app_no, "recovery": RECOVERY_SECONDS}).one_or_none()
    if row is None:
        return StoredPace(per_second=None, share=1.0)
    return StoredPace(per_second=row.per_second, share=1.0 if row.share is None else row.share)


def set_pace(connection: Connection, app_no: int, per_second: float | None) -> None:
    """Set the app's calls a second; None goes back to the setting."""
    connection.execute(_SET, {"app_no": app_no, "per_second": per_second})


def slow_down(connection: Connection, app_no: int) -> None:
    """Halve the pace: WeChat said too fast."""
    connection.execute(_SLOW_DOWN, {"app_no": app_no, "lowest": _LOWEST, "recovery": RECOVERY_SECONDS})
