"""The consent ledger: held, spent and given back a slice at a time, in the transactions that admit and settle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from pushjobs.domain.consent import Consent
from pushjobs.store.database import as_json, statement

__all__ = ["Change", "Key", "Turn", "grant", "hold", "read", "revoke", "settle"]

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

# An emptied ledger learns of users it had never heard of; one given a credit after the call keeps that one.
_LEARN = statement("""
WITH changes AS (
    SELECT decode(s.recipient, 'hex') AS recipient, s.template_no, s.turn, s.held, s.called_at
      FROM json_to_recordset(:changes) AS s(recipient text, template_no int, turn text, held int,
                                            called_at timestamptz)
)
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no)
SELECT :app_no, recipient, template_no FROM changes WHERE turn = 'emptied' ORDER BY recipient, template_no
    ON CONFLICT DO NOTHING""")
_CHANGE = statement("""
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
                             WHEN 'emptied' THEN CASE WHEN c.granted_at > s.called_at THEN least(c.credits, 1)
                                                      ELSE 0 END
                             ELSE c.credits END,
       is_standing = c.is_standing AND (s.turn <> 'emptied' OR c.granted_at > s.called_at)
  FROM changes s
 WHERE c.app_no = :app_no AND c.recipient = s.recipient AND c.template_no = s.template_no
   AND (c.recipient, c.template_no) IN (SELECT recipient, template_no FROM locked)""")

_GRANT = statement("""
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no, credits, is_standing, granted_at)
SELECT :app_no, decode(g.recipient, 'hex'), g.template_no, sum(g.credits), bool_or(g.is_standing), now()
  FROM json_to_recordset(:grants) AS g(recipient text, template_no int, credits int, is_standing boolean)
 GROUP BY g.recipient, g.template_no ORDER BY g.recipient, g.template_no
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE
   SET credits = c.credits + excluded.credits, is_standing = c.is_standing OR excluded.is_standing,
       granted_at = excluded.granted_at""")
_REVOKE = statement("""
INSERT INTO pushjobs.consents AS c (app_no, recipient, template_no)
VALUES (:app_no, :recipient, :template_no)
    ON CONFLICT (app_no, recipient, template_no) DO UPDATE SET credits = 0, is_standing = false""")
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


def read(connection: Connection, app_no: int, recipient: bytes) -> Mapping[int, Consent]:
    """Return what the ledger knows of a recipient, by template number."""
    rows = connection.execute(_READ, {"app_no": app_no, "recipient": recipient})
    return {row.template_no: _consent(row) for row in rows}


def _key(key: Key) -> dict[str, Any]:
    recipient, template_no = key
    return {"recipient": recipient.hex(), "template_no": template_no}


def _consent(row: Any) -> Consent:  # noqa: ANN401 - a row of either statement
    return Consent(credits=row.credits, held=row.held, is_standing=row.is_standing)
