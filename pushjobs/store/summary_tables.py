"""The tables of summaries: what became of jobs, and what is to come, counted so that nobody counts all jobs.

Slices leave rows in `settlements`; later these are moved into `minutes` and added to `totals`, in one statement, so
that each is in one of the two places. Whoever reads adds up both.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)

from pushjobs.domain.job import Lane
from pushjobs.store.schema import metadata, words
from pushjobs.store.schema import moment as _moment

__all__ = ["census", "census_taken", "minutes", "settlements", "totals"]

_lane = words(Lane, "lane")


def _what(*, is_key: bool) -> list[Column[object]]:
    """Return the columns that say what became of jobs; where they are a key there is no NULL in it."""
    return [
        Column("app_no", SmallInteger, nullable=False, primary_key=is_key, comment="The app"),
        Column("lane", _lane, nullable=False, primary_key=is_key, comment="The lane"),
        Column(
            "transition",
            Text,
            nullable=False,
            primary_key=is_key,
            server_default="deliver",
            comment="What became of the jobs, in the words of the lifecycle",
        ),
        Column("reason", Text, nullable=False, primary_key=is_key, server_default="", comment="Why; empty: no reason"),
        Column(
            "errcode",
            Integer,
            nullable=False,
            primary_key=is_key,
            server_default=text("0"),
            comment="WeChat's answer, if it was a refusal; 0: none",
        ),
        Column(
            "step",
            SmallInteger,
            nullable=False,
            primary_key=is_key,
            server_default=text("-1"),
            comment="The step of lateness their calls fell into; -1: no call left",
        ),
    ]


settlements = Table(
    "settlements",
    metadata,
    Column("entry_no", BigInteger, Identity(), primary_key=True, comment="Order of entry"),
    Column("at", _moment, nullable=False, server_default=func.clock_timestamp(), comment="When they were moved"),
    *_what(is_key=False),
    Column("template_no", Integer, nullable=False, server_default=text("0"), comment="Their template"),
    Column("jobs", Integer, nullable=False, comment="How many jobs"),
    Column("late", Float, nullable=False, server_default=text("0"), comment="Seconds their calls were late, added up"),
    Index("ix_settlements_at", "at", info={"serves": "Back-pressure: what was settled lately; moving the rest on"}),
    comment="What became of the jobs of each slice: for back-pressure, and until it is in the minutes and totals",
)

minutes = Table(
    "minutes",
    metadata,
    Column("minute", _moment, primary_key=True, comment="The minute's beginning"),
    *_what(is_key=True),
    Column("template_no", Integer, primary_key=True, comment="Their template"),
    Column("jobs", BigInteger, nullable=False, comment="How many jobs"),
    Column("late", Float, nullable=False, comment="Seconds their calls were late, added up"),
    comment="What became of jobs, by minute; for some days",
)

totals = Table(
    "totals",
    metadata,
    *_what(is_key=True),
    Column("jobs", BigInteger, nullable=False, comment="How many jobs"),
    Column("late", Float, nullable=False, comment="Seconds their calls were late, added up"),
    comment="What became of jobs, ever",
)

census = Table(
    "census",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("lane", _lane, primary_key=True, comment="The lane"),
    Column("template_no", Integer, primary_key=True, comment="The template"),
    Column("run_no", Integer, primary_key=True, comment="The campaign's run; 0: none"),
    Column(
        "since",
        _moment,
        primary_key=True,
        comment="Beginning of the minute, hour or day they fall due in; -infinity: they are due",
    ),
    Column("jobs", Integer, nullable=False, comment="How many jobs are scheduled for it"),
    comment="What is scheduled, as it was counted last: by minute for a day, by hour for a week, then by day",
)

census_taken = Table(
    "census_taken",
    metadata,
    Column("is_here", Boolean, primary_key=True, server_default=text("true"), comment="There is one row"),
    Column("at", _moment, nullable=False, comment="When it was counted last"),
    Column("seconds", Float, nullable=False, comment="How long that took"),
    Column("minutes_until", _moment, nullable=False, comment="Up to here it is counted by minute"),
    Column("hours_until", _moment, nullable=False, comment="Up to here by hour"),
    CheckConstraint("is_here", name="there_is_one_row"),
    comment="The last count of what is scheduled",
)
