"""How the users of an audience stand with the gates, counted: nothing is kept of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from pushjobs.domain.consent import Consent
from pushjobs.store import snapshots
from pushjobs.store.database import statement
from pushjobs.store.snapshots import Member

__all__ = ["Group", "groups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """So many users who stand alike: messages of the day, those of the template, consent (None: none is known)."""

    users: int
    sent: int
    held: int
    template_used: int
    consent: Consent | None


# Each user once, and of equal ones only how many: a million users are some dozens of groups.
_GROUPS = statement("""
SELECT count(*) AS users, sent, held, template_used, credits, credits_held, is_standing
  FROM (SELECT coalesce(r.sent, 0) AS sent, coalesce(r.held, 0) AS held, coalesce(d.used, 0) AS template_used,
               c.credits, c.held AS credits_held, c.is_standing
          FROM (SELECT DISTINCT recipient FROM loading) AS l
          LEFT JOIN pushjobs.recipients r
                 ON r.app_no = :app_no AND r.recipient = l.recipient AND r.quota_day = :day
          LEFT JOIN pushjobs.template_days d
                 ON d.app_no = :app_no AND d.recipient = l.recipient AND d.template_no = :template_no
                AND d.quota_day = :day
          LEFT JOIN pushjobs.consents c
                 ON c.app_no = :app_no AND c.recipient = l.recipient AND c.template_no = :template_no) AS users
 GROUP BY sent, held, template_used, credits, credits_held, is_standing""")


def groups(
    connection: Connection, members: Iterable[Member], *, app_no: int, template_no: int, day: date
) -> list[Group]:
    """Copy users into a table that ends with the transaction, and count how they stand on a day."""
    snapshots.copy_in(connection, members)
    rows = connection.execute(_GROUPS, {"app_no": app_no, "template_no": template_no, "day": day})
    return [
        Group(
            users=row.users,
            sent=row.sent,
            held=row.held,
            template_used=row.template_used,
            consent=None
            if row.credits is None
            else Consent(credits=row.credits, held=row.credits_held, is_standing=row.is_standing),
        )
        for row in rows
    ]
