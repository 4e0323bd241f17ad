"""WeChat's daily allowance for a whole app, taken in blocks: one row, touched rarely, never within another lock."""

from datetime import date

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["take"]

# What is left may be less than a block: then the rest is taken, down to nothing.
_OPEN_DAY = statement("""
INSERT INTO pushjobs.app_days AS d (app_no, day, taken) VALUES (:app_no, :day, 0) ON CONFLICT DO NOTHING""")
_BLOCK = statement("""
WITH before AS (SELECT taken FROM pushjobs.app_days WHERE app_no = :app_no AND day = :day FOR UPDATE)
UPDATE pushjobs.app_days d SET taken = least(d.taken + :block, greatest(:allowance, d.taken))
  FROM before WHERE d.app_no = :app_no AND d.day = :day
RETURNING d.taken - before.taken AS block""")


def take(connection: Connection, app_no: int, day: date, *, block: int, allowance: int) -> int:
    """Take up to a block of the day's allowance; return how many calls that is, 0 when the day is used up."""
    values = {"app_no": app_no, "day": day}
    connection.execute(_OPEN_DAY, values)
    return int(connection.execute(_BLOCK, {**values, "block": block, "allowance": allowance}).scalar_one())
