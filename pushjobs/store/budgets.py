"""WeChat's daily allowance for a whole app, taken in blocks: one row, touched rarely, never within another lock.

The allowance is the setting's where there is one. Else it is what WeChat said, less what WeChat had counted beyond our
own calls (other software of the same owner uses it up too), less a hundredth: WeChat's counters may be off by as much
(wechat-api.md 7.1), and as much may be in the hands of our own processes when it is asked. Where WeChat has never said,
it is what WeChat documents.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["AppDay", "begin_asking", "note_answer", "read", "take"]

_DOCUMENTED = 10_000_000
"""Without WeChat Pay; 30 million with it (wechat-api.md 7.2, [S2])."""

_LARGEST_BLOCK = 1000
_BLOCKS_A_DAY = 1000

_ASK_AGAIN_SECONDS = 3600.0
_ASK_SOON_SECONDS = 300.0
"""While WeChat has not said, and when less than a tenth of the day is left."""

_ANSWER_SECONDS = 10.0
"""How long an answer is waited for before blocks are taken of what is documented."""

_ALLOWANCE = f"""
greatest(0, coalesce(CAST(:setting AS int), d.daily_limit - d.daily_limit / 100 - d.elsewhere, {_DOCUMENTED}))"""

# A new day begins with what WeChat said last.
_OPEN_DAY = statement("""
INSERT INTO pushjobs.app_days (app_no, day, taken, daily_limit)
SELECT :app_no, :day, 0, (SELECT daily_limit FROM pushjobs.app_days
                           WHERE app_no = :app_no AND day < :day ORDER BY day DESC LIMIT 1)
    ON CONFLICT DO NOTHING""")

# What is left may be less than a block: then the rest is taken, down to nothing. No block while the answer to a
# question is on its way: it may be less than a block.
_BLOCK = statement(f"""
WITH before AS (
    SELECT d.taken, {_ALLOWANCE} AS allowance,
           CAST(:setting AS int) IS NULL AND d.daily_limit IS NULL
           AND d.asked_at > now() - make_interval(secs => {_ANSWER_SECONDS}) AS is_asking
      FROM pushjobs.app_days d WHERE d.app_no = :app_no AND d.day = :day FOR UPDATE
), block AS (
    SELECT taken, allowance - taken AS remains,
           greatest(CAST(:wanted AS int),
                    CASE WHEN is_asking THEN 0 ELSE least({_LARGEST_BLOCK}, allowance / {_BLOCKS_A_DAY}) END) AS size
      FROM before
)
UPDATE pushjobs.app_days d SET taken = block.taken + greatest(0, least(block.size, block.remains))
  FROM block WHERE d.app_no = :app_no AND d.day = :day
RETURNING d.taken - block.taken AS block""")  # noqa: S608 - constants of this module

# One of the processes that look at the same moment gets the row's lock and the question, the others find it asked.
_BEGIN_ASKING = statement(f"""
UPDATE pushjobs.app_days d SET asked_at = now()
 WHERE d.app_no = :app_no AND d.day = :day
   AND (d.asked_at IS NULL
        OR d.asked_at < now() - make_interval(secs =>
           CASE WHEN d.daily_limit IS NULL OR {_ALLOWANCE} - d.taken < d.daily_limit / 10
                THEN {_ASK_SOON_SECONDS} ELSE {_ASK_AGAIN_SECONDS} END))
RETURNING d.taken""")  # noqa: S608 - constants of this module

_NOTE_ANSWER = statement("""
UPDATE pushjobs.app_days SET daily_limit = :limit, elsewhere = greatest(0, :used - :taken)
 WHERE app_no = :app_no AND day = :day""")

_READ = statement(f"""
WITH latest AS (
    SELECT * FROM pushjobs.app_days WHERE app_no = :app_no AND day <= :day ORDER BY day DESC LIMIT 1
), d AS (
    SELECT CASE WHEN latest.day = :day THEN latest.taken ELSE 0 END AS taken,
           CASE WHEN latest.day = :day THEN latest.elsewhere ELSE 0 END AS elsewhere,
           latest.daily_limit, latest.asked_at
      FROM (VALUES (1)) AS always LEFT JOIN latest ON true
)
SELECT d.*, {_ALLOWANCE} AS allowance FROM d""")  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDay:
    """A day of an app: calls `taken` of the `allowance`.

    `daily_limit`: what WeChat said last, if ever; `elsewhere`: what it had counted beyond our own; `asked_at`: when.
    """

    taken: int
    allowance: int
    daily_limit: int | None
    elsewhere: int
    asked_at: datetime | None


def take(connection: Connection, app_no: int, day: date, *, wanted: int, setting: int | None) -> int:
    """Take a block of the day's allowance, `wanted` at least; return how many calls, 0 when the day is used up.

    `setting`: how many calls a day there are, whatever WeChat says.
    """
    values = {"app_no": app_no, "day": day}
    connection.execute(_OPEN_DAY, values)
    return int(connection.execute(_BLOCK, {**values, "wanted": wanted, "setting": setting}).scalar_one())


def begin_asking(connection: Connection, app_no: int, day: date) -> int | None:
    """Take the right to ask WeChat now; return the calls taken by now, None when it was asked a short while ago."""
    values = {"app_no": app_no, "day": day}
    connection.execute(_OPEN_DAY, values)
    row = connection.execute(_BEGIN_ASKING, {**values, "setting": None}).one_or_none()
    return None if row is None else int(row.taken)


def note_answer(connection: Connection, app_no: int, day: date, *, limit: int, used: int, taken: int) -> None:
    """Store WeChat's answer to a question that was begun when `taken` calls were taken."""
    values = {"app_no": app_no, "day": day, "limit": limit, "used": used, "taken": taken}
    connection.execute(_NOTE_ANSWER, values)


def read(connection: Connection, app_no: int, day: date, *, setting: int | None) -> AppDay:
    """Return how the day stands."""
    row = connection.execute(_READ, {"app_no": app_no, "day": day, "setting": setting}).one()
    return AppDay(
        taken=row.taken or 0,
        allowance=row.allowance,
        daily_limit=row.daily_limit,
        elsewhere=row.elsewhere or 0,
        asked_at=row.asked_at,
    )
