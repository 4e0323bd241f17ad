"""Summaries: what became of jobs by minute and ever, how late their calls were, and what is scheduled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"

_LANE = postgresql.ENUM(name="lane", schema="pushjobs", create_type=False)
_MOMENT = sa.DateTime(timezone=True)
_NEW = ("transition", "reason", "errcode", "step", "template_no", "late")


def upgrade() -> None:
    """Create the tables. What workers of the older release go on noting counts as sent, with no lateness known."""
    for column in _settled_columns():
        op.add_column("settlements", column, schema="pushjobs")
    op.alter_column(
        "settlements",
        "at",
        comment="When they were moved",
        existing_comment="When the slice was settled",
        existing_type=_MOMENT,
        existing_nullable=False,
        existing_server_default=sa.text("clock_timestamp()"),
        schema="pushjobs",
    )
    op.alter_column(
        "settlements",
        "jobs",
        comment="How many jobs",
        existing_comment="How many jobs the slice settled",
        existing_type=sa.Integer(),
        existing_nullable=False,
        schema="pushjobs",
    )
    op.create_table_comment(
        "settlements",
        "What became of the jobs of each slice: for back-pressure, and until it is in the minutes and totals",
        existing_comment="One row a slice: what the last seconds drained, for back-pressure",
        schema="pushjobs",
    )
    what = ("app_no", "lane", "transition", "reason", "errcode", "step")
    op.create_table(
        "minutes",
        sa.Column("minute", _MOMENT, nullable=False, comment="The minute's beginning"),
        *_what(),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="Their template"),
        *_counts(),
        sa.PrimaryKeyConstraint("minute", *what, "template_no", name=op.f("pk_minutes")),
        schema="pushjobs",
        comment="What became of jobs, by minute; for some days",
    )
    op.create_table(
        "totals",
        *_what(),
        *_counts(),
        sa.PrimaryKeyConstraint(*what, name=op.f("pk_totals")),
        schema="pushjobs",
        comment="What became of jobs, ever",
    )
    op.create_table(
        "census",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("lane", _LANE, nullable=False, comment="The lane"),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="The template"),
        sa.Column("run_no", sa.Integer(), nullable=False, comment="The campaign's run; 0: none"),
        sa.Column(
            "since",
            _MOMENT,
            nullable=False,
            comment="Beginning of the minute, hour or day they fall due in; -infinity: they are due",
        ),
        sa.Column("jobs", sa.Integer(), nullable=False, comment="How many jobs are scheduled for it"),
        sa.PrimaryKeyConstraint("app_no", "lane", "template_no", "run_no", "since", name=op.f("pk_census")),
        schema="pushjobs",
        comment="What is scheduled, as it was counted last: by minute for a day, by hour for a week, then by day",
    )
    op.create_table(
        "census_taken",
        sa.Column("is_here", sa.Boolean(), server_default=sa.text("true"), nullable=False, comment="There is one row"),
        sa.Column("at", _MOMENT, nullable=False, comment="When it was counted last"),
        sa.Column("seconds", sa.Float(), nullable=False, comment="How long that took"),
        sa.Column("minutes_until", _MOMENT, nullable=False, comment="Up to here it is counted by minute"),
        sa.Column("hours_until", _MOMENT, nullable=False, comment="Up to here by hour"),
        sa.PrimaryKeyConstraint("is_here", name=op.f("pk_census_taken")),
        sa.CheckConstraint("is_here", name=op.f("ck_census_taken_there_is_one_row")),
        schema="pushjobs",
        comment="The last count of what is scheduled",
    )


def _settled_columns() -> list[sa.Column[object]]:
    template = sa.Column(
        "template_no", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Their template"
    )
    late = sa.Column(
        "late",
        sa.Float(),
        server_default=sa.text("0"),
        nullable=False,
        comment="Seconds their calls were late, added up",
    )
    return [*_what()[2:], template, late]


def _what() -> list[sa.Column[object]]:
    return [
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("lane", _LANE, nullable=False, comment="The lane"),
        sa.Column(
            "transition",
            sa.Text(),
            server_default="deliver",
            nullable=False,
            comment="What became of the jobs, in the words of the lifecycle",
        ),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="Why; empty: no reason"),
        sa.Column(
            "errcode",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="WeChat's answer, if it was a refusal; 0: none",
        ),
        sa.Column(
            "step",
            sa.SmallInteger(),
            server_default=sa.text("-1"),
            nullable=False,
            comment="The step of lateness their calls fell into; -1: no call left",
        ),
    ]


def _counts() -> list[sa.Column[object]]:
    return [
        sa.Column("jobs", sa.BigInteger(), nullable=False, comment="How many jobs"),
        sa.Column("late", sa.Float(), nullable=False, comment="Seconds their calls were late, added up"),
    ]


def downgrade() -> None:
    """Undo it; what was counted is gone."""
    for table in ("census_taken", "census", "totals", "minutes"):
        op.drop_table(table, schema="pushjobs")
    op.create_table_comment(
        "settlements", "One row a slice: what the last seconds drained, for back-pressure", schema="pushjobs"
    )
    for name in _NEW:
        op.drop_column("settlements", name, schema="pushjobs")
    op.alter_column("settlements", "jobs", comment="How many jobs the slice settled", schema="pushjobs")
    op.alter_column("settlements", "at", comment="When the slice was settled", schema="pushjobs")
