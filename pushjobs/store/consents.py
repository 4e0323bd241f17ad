"""The consent ledger: held, spent and given back a slice at a time, in the transactions that admit and settle.

Yes and no come in any order, by several ways, late. What counts is when they were said: a row knows when its oldest and
its latest credit was given and when the last no was said, so that a no takes away only what was given before it, and a
yes that was said before a no is void even if we hear of it afterwards (fine print 12.17). A no from between the oldest
and the latest credit leaves one: more would have to know the moment of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, TextClause

from pushjobs.domain.consent import Consent
from pushjobs.store.database import as_json, statement

__all__ = ["Change", "Key", "Turn", "grant", "hold", "read", "revoke", "settle", "tell"]

Key = tuple[bytes, int]
"""A recipient and a template: (recipient, template_no)."""


class Turn(StrEnum):
    """What became of a job's consent: spent, no longer held, given back after it was spent, or void."""

    SPENT = "spent"
    BACK = "back"
    RETURNED = "returned"
    EMPTIED = "emptied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a settled job does to its consent. `called_at`: an emptied one loses only what was given before that."""

    key: Key
    turn: Turn
    held: bool
    called_at: datetime | None = None


# `held` counts this slice's own hold for the row it comes back with only in `took`.
_HOLD = statement("""
WITH wanted AS (
    SELECT decode(w.recipient, 'hex') AS recipient, w.template_no
      FROM json_to_recordset(:wanted) AS w(recipient text, template_no int)
), locked AS MATERIALIZED (
    SELECT c.recipient, c.template_no, c.credits, c.held, c.is_standing
      FROM pushjobs.consents c JOIN wanted USING (recipient, template_no)
     WHERE c.app_no = :app_no
     ORDER BY c.recipient, c.template_no FOR UPDATE OF c
), taken AS (
    UPDATE pushjobs.consents c SET held = c.held + 1
      FROM locked l
     WHERE c.app_no = :app_no AND c.recipient = l.recipient AND c.template_no = l.template_no
       AND NOT l.is_standing AND l.credits > l.held
)
SELECT * FROM locked""")

# Words of the statements below. What users told by events: WeChat tells whole seconds, so a yes counts from the end of
# its second and a no from its beginning, and neither takes away what may have been said after it. And what a no, said
# at `@no`, leaves of a row `c`.
_WORDS = {
    "@told": """told AS (
    SELECT e.app_no, e.recipient, t.template_no, e.kind, coalesce(t.kind = 'long_term', false) AS is_long_term,
           e.happened_at + CASE e.kind WHEN 'consent_given' THEN interval '999999 microseconds' ELSE '0' END AS at
      FROM pushjobs.events e JOIN pushjobs.templates t USING (app_no, template_id)
     WHERE e.event_no = ANY (:numbers) AND e.kind IN ('consent_given', 'consent_withdrawn')
)""",
    "@credits": """CASE WHEN c.granted_from > @no THEN c.credits
                WHEN c.granted_at > @no THEN least(c.credits, 1) ELSE 0 END""",
    "@from": "CASE WHEN c.granted_from > @no THEN c.granted_from ELSE c.granted_at END",
    "@standing": "(c.is_standing AND c.granted_at > @no)",
}


def _statement(sql: str, *, no: str = "") -> TextClause:
    for name, words in _WORDS.items():
        sql = sql.replace(name, words)
    return statement(sql.replace("@no", no))


# An emptied ledger learns of users it had never heard of. The slice's other pairs are locked on the way: new rows first
# and old ones after would be two orders. An update that updates nothing locks all the same.
_LEARN = statement("""
WITH changes AS (
    SELECT decode(s.recipient, 'hex') AS recipient, s.template_no, s.turn, s.held, s.called_at
      FROM json_to_recordset(:changes) AS s(recipient text, template_no int, turn text, held int,
                                            called_at timestamptz)
)
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no)
SELECT :app_no, recipient, template_no FROM changes s
 WHERE turn = 'emptied'
    OR EXISTS (SELECT FROM pushjobs.consents k WHERE k.app_no = :app_no AND k.recipient = s.recipient
                                                 AND k.template_no = s.template_no)
 ORDER BY recipient, template_no
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE SET held = c.held WHERE false""")
_CHANGE = _statement(
    """
WITH changes AS (
    SELECT decode(s.recipient, 'hex') AS recipient, s.template_no, s.turn, s.held, s.called_at
      FROM json_to_recordset(:changes) AS s(recipient text, template_no int, turn text, held int,
                                            called_at timestamptz)
), locked AS MATERIALIZED (
    SELECT c.recipient, c.template_no FROM pushjobs.consents c JOIN changes USING (recipient, template_no)
     WHERE c.app_no = :app_no ORDER BY c.recipient, c.template_no FOR UPDATE OF c
)
UPDATE pushjobs.consents c
   SET held = greatest(c.held - s.held, 0),
       credits = CASE s.turn WHEN 'spent' THEN greatest(c.credits - 1, 0)
                             WHEN 'returned' THEN c.credits + 1
                             WHEN 'emptied' THEN @credits
                             ELSE c.credits END,
       granted_from = CASE WHEN s.turn = 'emptied' THEN @from ELSE c.granted_from END,
       is_standing = CASE WHEN s.turn = 'emptied' THEN coalesce(@standing, false) ELSE c.is_standing END,
       refused_at = CASE WHEN s.turn = 'emptied' THEN greatest(c.refused_at, s.called_at) ELSE c.refused_at END
  FROM changes s
 WHERE c.app_no = :app_no AND c.recipient = s.recipient AND c.template_no = s.template_no
   AND (c.recipient, c.template_no) IN (SELECT recipient, template_no FROM locked)""",
    no="s.called_at",
)

_GRANT = statement("""
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no, credits, is_standing, granted_from, granted_at)
SELECT :app_no, decode(g.recipient, 'hex'), g.template_no, sum(g.credits), bool_or(g.is_standing), now(), now()
  FROM json_to_recordset(:grants) AS g(recipient text, template_no int, credits int, is_standing boolean)
 GROUP BY g.recipient, g.template_no ORDER BY g.recipient, g.template_no
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE
   SET credits = c.credits + excluded.credits, is_standing = c.is_standing OR excluded.is_standing,
       granted_from = CASE WHEN c.credits = 0 THEN excluded.granted_from ELSE c.granted_from END,
       granted_at = excluded.granted_at""")
_REVOKE = statement("""
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no, refused_at)
VALUES (:app_no, :recipient, :template_no, now())
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE
   SET credits = 0, is_standing = false, refused_at = excluded.refused_at""")
_NAME = statement("""
INSERT INTO pushjobs.templates (app_no, template_id)
SELECT DISTINCT e.app_no, e.template_id FROM pushjobs.events e
 WHERE e.event_no = ANY (:numbers) AND e.kind IN ('consent_given', 'consent_withdrawn')
   AND NOT EXISTS (SELECT FROM pushjobs.templates t WHERE (t.app_no, t.template_id) = (e.app_no, e.template_id))
 ORDER BY e.app_no, e.template_id
    ON CONFLICT DO NOTHING""")
# Locks every pair in one order, the new ones too.
_KNOW = _statement("""
WITH @told
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no)
SELECT DISTINCT app_no, recipient, template_no FROM told ORDER BY app_no, recipient, template_no
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE SET held = c.held WHERE false""")
_TELL = _statement(
    """
WITH @told, asked AS (
    SELECT app_no, recipient, template_no, is_long_term,
           max(at) FILTER (WHERE kind = 'consent_withdrawn') AS refused_at,
           array_agg(at) FILTER (WHERE kind = 'consent_given') AS given
      FROM told GROUP BY app_no, recipient, template_no, is_long_term
), weighed AS (
    SELECT c.app_no, c.recipient, c.template_no, a.is_long_term, a.given,
           greatest(c.refused_at, a.refused_at) AS refused_at,
           CASE WHEN n.is_news THEN @credits ELSE c.credits END AS credits,
           CASE WHEN n.is_news THEN @from ELSE c.granted_from END AS granted_from,
           CASE WHEN n.is_news THEN coalesce(@standing, false) ELSE c.is_standing END AS is_standing
      FROM asked a JOIN pushjobs.consents c USING (app_no, recipient, template_no),
           LATERAL (SELECT a.refused_at > coalesce(c.refused_at, '-infinity') AS is_news) n
), counted AS (
    SELECT w.*, y.yeses, y.earliest, y.latest
      FROM weighed w,
           LATERAL (SELECT count(*)::int AS yeses, min(at) AS earliest, max(at) AS latest FROM unnest(w.given) AS g(at)
                     WHERE at > coalesce(w.refused_at, '-infinity')) y
)
UPDATE pushjobs.consents c
   SET credits = n.credits + CASE WHEN n.is_long_term THEN 0 ELSE n.yeses END,
       is_standing = n.is_standing OR (n.is_long_term AND n.yeses > 0), refused_at = n.refused_at,
       granted_from = CASE WHEN n.credits = 0 THEN n.earliest ELSE least(n.granted_from, n.earliest) END,
       granted_at = greatest(c.granted_at, n.latest)
  FROM counted n
 WHERE c.app_no = n.app_no AND c.recipient = n.recipient AND c.template_no = n.template_no""",
    no="a.refused_at",
)
_READ = statement("""
SELECT recipient, template_no, credits, held, is_standing FROM pushjobs.consents
 WHERE app_no = :app_no AND recipient = :recipient ORDER BY template_no""")


def hold(connection: Connection, app_no: int, wanted: Sequence[Key]) -> Mapping[Key, Consent]:
    """Hold a credit for each pair that has one free; return what was known of each before. Pairs must differ."""
    rows = connection.execute(_HOLD, {"app_no": app_no, "wanted": as_json([_key(key) for key in wanted])})
    return {(bytes(row.recipient), row.template_no): _consent(row) for row in rows}


def settle(connection: Connection, app_no: int, changes: Sequence[Change]) -> None:
    """Spend, give back or empty what settled jobs held; the pairs must differ."""
    if not changes:
        return
    rows = as_json(
        [{**_key(one.key), "turn": one.turn, "held": int(one.held), "called_at": one.called_at} for one in changes]
    )
    values = {"app_no": app_no, "changes": rows}
    if any(one.turn is Turn.EMPTIED for one in changes):
        connection.execute(_LEARN, values)
    connection.execute(_CHANGE, values)


def grant(connection: Connection, app_no: int, keys: Sequence[Key], *, credits: int, is_standing: bool) -> None:  # noqa: A002 - the house's word
    """Add credits, or a standing consent, to each pair."""
    rows = [{**_key(key), "credits": credits, "is_standing": is_standing} for key in keys]
    connection.execute(_GRANT, {"app_no": app_no, "grants": as_json(rows)})


def revoke(connection: Connection, app_no: int, key: Key) -> None:
    """Take away every credit and the standing consent of a pair."""
    recipient, template_no = key
    connection.execute(_REVOKE, {"app_no": app_no, "recipient": recipient, "template_no": template_no})


def tell(connection: Connection, numbers: Sequence[int]) -> None:
    """Write what users said by the events of these numbers, in whatever order they came.

    A yes to a long-term template is a standing consent, to any other a credit.
    """
    for each in (_NAME, _KNOW, _TELL):
        connection.execute(each, {"numbers": list(numbers)})


def read(connection: Connection, app_no: int, recipient: bytes) -> Mapping[int, Consent]:
    """Return what the ledger knows of a recipient, by template number."""
    rows = connection.execute(_READ, {"app_no": app_no, "recipient": recipient})
    return {row.template_no: _consent(row) for row in rows}


def _key(key: Key) -> dict[str, Any]:
    recipient, template_no = key
    return {"recipient": recipient.hex(), "template_no": template_no}


def _consent(row: Any) -> Consent:  # noqa: ANN401 - a row of either statement
    return Consent(credits=row.credits, held=row.held, is_standing=row.is_standing)
