"""Alerts as rows: one process of all looks at a time, one tells each address at a time, and SQL decides which.

A look is claimed, made with no lock held, and written only while the claim is still its own: so whoever stood still in
the middle of a look writes nothing old. A claim of an address is a promise for a while, not a lock, for no transaction
is open during a call; whoever dies behind its call has the same told once more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.alert import RULES, Alert, AlertKind, Condition, Notice, What
from pushjobs.store.database import as_json, statement

__all__ = [
    "Address",
    "Claim",
    "addresses",
    "begin_look",
    "claim",
    "holds_look",
    "judge",
    "know",
    "listed",
    "see",
    "settle",
    "untold",
]

_LOOKED = "alerts_looked_at"

# Of two at once the second waits for the first's row, and finds that it has looked just now. A moment that is ahead is
# from a server whose clock was.
_BEGIN_LOOK = statement("""
INSERT INTO pushjobs.installation AS i (name, value) VALUES (:name, CAST(clock_timestamp() AS text))
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
 WHERE CAST(i.value AS timestamptz) NOT BETWEEN clock_timestamp() - make_interval(secs => :every)
                                            AND clock_timestamp()
RETURNING value""")
_HOLDS_LOOK = statement("""
SELECT true FROM pushjobs.installation WHERE name = :name AND value = :claim FOR UPDATE""")

# Whoever sees the same sees it again; what was seen once, long ago, and was not told, is seen for the first time.
_SEE = statement("""
INSERT INTO pushjobs.alerts AS a (kind, appid, subject, detail)
SELECT f.kind, f.appid, f.subject, f.detail
  FROM json_to_recordset(:found) AS f(kind text, appid text, subject text, detail text)
 ORDER BY f.kind, f.appid, f.subject
    ON CONFLICT (kind, appid, subject) WHERE ended_at IS NULL DO UPDATE
   SET seen_at = now(), detail = excluded.detail, gone_at = NULL,
       since = CASE WHEN a.began_at IS NULL AND a.seen_at < now() - interval '5 minutes' THEN now() ELSE a.since END""")

_JUDGE = statement("""
WITH rules AS (
    SELECT * FROM json_to_recordset(:rules) AS r(kind text, hold float, gone float, lasts float, remind float)
), seen AS MATERIALIZED (
    SELECT a.alert_no, a.since, a.seen_at, a.began_at, a.noted_at, a.gone_at, r.hold, r.gone, r.remind,
           a.seen_at >= now() - make_interval(secs => r.lasts) AS holds
      FROM pushjobs.alerts a JOIN rules r USING (kind)
     WHERE a.ended_at IS NULL ORDER BY a.kind, a.appid, a.subject FOR UPDATE OF a
), judged AS MATERIALIZED (
    SELECT alert_no,
           CASE WHEN holds AND began_at IS NULL AND seen_at - since >= make_interval(secs => hold) THEN 'began'
                WHEN holds AND noted_at <= now() - make_interval(secs => remind) THEN 'goes_on'
                WHEN holds THEN NULL
                WHEN began_at IS NULL THEN 'never_began'
                WHEN coalesce(gone_at, now()) <= now() - make_interval(secs => gone) THEN 'ended'
                WHEN gone_at IS NULL THEN 'gone' END AS what
      FROM seen
), dropped AS (
    DELETE FROM pushjobs.alerts WHERE alert_no IN (SELECT alert_no FROM judged WHERE what = 'never_began')
), written AS (
    UPDATE pushjobs.alerts a
       SET began_at = CASE WHEN j.what = 'began' THEN now() ELSE a.began_at END,
           noted_at = CASE WHEN j.what = 'gone' THEN a.noted_at ELSE now() END,
           gone_at = CASE WHEN j.what IN ('gone', 'ended') THEN coalesce(a.gone_at, now()) END,
           ended_at = CASE WHEN j.what = 'ended' THEN coalesce(a.gone_at, now()) END
      FROM judged j WHERE a.alert_no = j.alert_no AND j.what IN ('began', 'goes_on', 'gone', 'ended')
 RETURNING a.*, j.what
), noted AS (
    INSERT INTO pushjobs.alert_notices (alert_no, what)
    SELECT alert_no, what FROM written WHERE what <> 'gone' ORDER BY alert_no
 RETURNING notice_no, alert_no
)
SELECT w.*, n.notice_no FROM written w JOIN noted n USING (alert_no) ORDER BY n.notice_no""")

# A new address is told what is open, and nothing of what was over before it was there.
_KNOW = statement("""
INSERT INTO pushjobs.alert_addresses (fingerprint, host, told_through)
SELECT :fingerprint, :host,
       coalesce((SELECT min(n.notice_no) - 1 FROM pushjobs.alerts a JOIN pushjobs.alert_notices n USING (alert_no)
                  WHERE a.ended_at IS NULL),
                (SELECT max(notice_no) FROM pushjobs.alert_notices), 0)
    ON CONFLICT (fingerprint) DO NOTHING""")

# One of the tellers that ask at the same moment gets the row; the others find that it has been tried just now.
_CLAIM = statement("""
UPDATE pushjobs.alert_addresses t
   SET attempts = attempts + 1, try_at = clock_timestamp() + make_interval(secs => :promise)
 WHERE fingerprint = :fingerprint AND try_at <= clock_timestamp()
   AND EXISTS (SELECT FROM pushjobs.alert_notices n WHERE n.notice_no > t.told_through)
RETURNING told_through, attempts""")

_UNTOLD = statement("""
SELECT a.*, n.last, n.whats
  FROM (SELECT alert_no, min(notice_no) AS first, max(notice_no) AS last, array_agg(what) AS whats
          FROM pushjobs.alert_notices WHERE notice_no > :told_through GROUP BY alert_no) n
  JOIN pushjobs.alerts a USING (alert_no) ORDER BY n.first""")

# Whoever overran the promise and comes second raises what is higher, and forgets no attempt of the other's.
_TAKEN = statement("""
UPDATE pushjobs.alert_addresses
   SET told_through = greatest(told_through, :told_through), attempts = 0, told_at = clock_timestamp(), fault = NULL,
       try_at = clock_timestamp() + make_interval(secs => :wait)
 WHERE fingerprint = :fingerprint""")
_NOT_TAKEN = statement("""
UPDATE pushjobs.alert_addresses SET fault = :fault, try_at = clock_timestamp() + make_interval(secs => :wait)
 WHERE fingerprint = :fingerprint AND attempts = :attempts""")

_LISTED = statement("""
SELECT * FROM pushjobs.alerts
 WHERE began_at IS NOT NULL AND (ended_at IS NULL OR ended_at > now() - make_interval(secs => :ended_within))
 ORDER BY ended_at DESC NULLS FIRST, began_at DESC, alert_no DESC LIMIT :limit""")
_ADDRESSES = statement("""
SELECT t.*, EXISTS (SELECT FROM pushjobs.alert_notices n WHERE n.notice_no > t.told_through) AS waits
  FROM pushjobs.alert_addresses t WHERE fingerprint = ANY (:fingerprints)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An address that is ours to tell, for a while. `attempts` counts this one."""

    fingerprint: bytes
    told_through: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """How telling an address goes. `fault`: why the last attempt failed; `waits`: something is still to be told."""

    host: str
    told_at: datetime | None
    attempts: int
    fault: str | None
    waits: bool


def begin_look(connection: Connection, *, every: float) -> str | None:
    """Become the one who looks; return what proves it, or None where somebody did within the last `every` seconds."""
    found: str | None = connection.execute(_BEGIN_LOOK, {"name": _LOOKED, "every": every}).scalar_one_or_none()
    return found


def holds_look(connection: Connection, claim: str) -> bool:
    """Whether the look is still ours, until the end of this transaction."""
    return connection.execute(_HOLDS_LOOK, {"name": _LOOKED, "claim": claim}).one_or_none() is not None


def see(connection: Connection, found: Iterable[Condition]) -> None:
    """Note conditions as seen now."""
    # Of the same one, told of twice, the last; one statement writes a row once.
    rows = {(each.kind, each.appid, each.subject): each.as_record() for each in found}
    if rows:
        connection.execute(_SEE, {"found": as_json(list(rows.values()))})


def judge(connection: Connection) -> list[Notice]:
    """Begin, repeat and end alerts by what was seen and what was not; return what is to be told of it."""
    rules = [{"kind": kind, **rule.as_record()} for kind, rule in RULES.items()]
    return [
        Notice(number=row.notice_no, what=What(row.what), alert=_alert(row))
        for row in connection.execute(_JUDGE, {"rules": as_json(rules)})
    ]


def know(connection: Connection, fingerprint: bytes, host: str) -> None:
    """Begin to tell an address, if it is new."""
    connection.execute(_KNOW, {"fingerprint": fingerprint, "host": host})


def claim(connection: Connection, fingerprint: bytes, *, promise: float) -> Claim | None:
    """Take an address that something is to be told to, for `promise` seconds; None where nothing is, or not yet."""
    row = connection.execute(_CLAIM, {"fingerprint": fingerprint, "promise": promise}).one_or_none()
    if row is None:
        return None
    return Claim(fingerprint=fingerprint, told_through=row.told_through, attempts=row.attempts)


def untold(connection: Connection, claimed: Claim) -> list[Notice]:
    """Return what is to be told there, one notice an alert, in the order in which they began."""
    rows = connection.execute(_UNTOLD, {"told_through": claimed.told_through})
    return [Notice(number=row.last, what=_together(row.whats), alert=_alert(row)) for row in rows if _is_known(row)]


def settle(connection: Connection, claimed: Claim, *, told_through: int, fault: str | None, wait: float) -> None:
    """Write what became of a claim: taken where there is no fault. The next may leave in `wait` seconds."""
    values = {"fingerprint": claimed.fingerprint, "wait": wait}
    if fault is None:
        connection.execute(_TAKEN, {**values, "told_through": told_through})
    else:
        connection.execute(_NOT_TAKEN, {**values, "fault": fault, "attempts": claimed.attempts})


def listed(connection: Connection, *, ended_within: float, limit: int) -> list[Alert]:
    """Return the open alerts, the youngest first, and behind them those that ended within so many seconds."""
    rows = connection.execute(_LISTED, {"ended_within": ended_within, "limit": limit})
    return [_alert(row) for row in rows if _is_known(row)]


def addresses(connection: Connection, fingerprints: Sequence[bytes]) -> list[Address]:
    """Return how telling these goes, of those that were ever told or tried."""
    return [
        Address(host=row.host, told_at=row.told_at, attempts=row.attempts, fault=row.fault, waits=row.waits)
        for row in connection.execute(_ADDRESSES, {"fingerprints": list(fingerprints)})
    ]


def _together(whats: Sequence[str]) -> What:
    if What.ENDED in whats:
        return What.PASSED if What.BEGAN in whats else What.ENDED
    return What.BEGAN if What.BEGAN in whats else What.GOES_ON


def _is_known(row: Any) -> bool:  # noqa: ANN401 - a row of alerts
    """Whether this release knows the kind; another one may have told of more."""
    return row.kind in set(AlertKind)


def _alert(row: Any) -> Alert:  # noqa: ANN401 - a row of alerts
    return Alert(
        alert_no=row.alert_no,
        kind=AlertKind(row.kind),
        appid=row.appid,
        subject=row.subject,
        detail=row.detail,
        since=row.since,
        seen_at=row.seen_at,
        ended_at=row.ended_at,
    )
