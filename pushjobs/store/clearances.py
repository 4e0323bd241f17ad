"""How often an app's daily counters at WeChat were cleared this month: one row a month, counted before the call."""

from datetime import date

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["give_back", "take", "use_up"]

# The row is made or locked, and only then looked at: two that clear at once cannot both have the last one.
_TAKE = statement("""
INSERT INTO pushjobs.clearances AS c (app_no, month, used) VALUES (:app_no, :month, 1)
    ON CONFLICT (app_no, month) DO UPDATE SET used = c.used + 1 WHERE c.used < :most
RETURNING used""")
_SET = """
UPDATE pushjobs.clearances SET used = {} WHERE app_no = :app_no AND month = :month"""
_GIVE_BACK = statement(_SET.format("greatest(used - 1, 0)"))
_USE_UP = statement(_SET.format(":most"))


def take(connection: Connection, app_no: int, month: date, *, most: int) -> int | None:
    """Count one clearance more; return how many that makes, None where there were as many as may be."""
    used: int | None = connection.execute(_TAKE, {"app_no": app_no, "month": month, "most": most}).scalar_one_or_none()
    return used


def give_back(connection: Connection, app_no: int, month: date) -> None:
    """Take one back that WeChat refused to make."""
    connection.execute(_GIVE_BACK, {"app_no": app_no, "month": month})


def use_up(connection: Connection, app_no: int, month: date, *, most: int) -> None:
    """Note that WeChat counts them all as used: others clear too."""
    connection.execute(_USE_UP, {"app_no": app_no, "month": month, "most": most})
