"""Campaigns, their runs, and whom a run is for; a job knows its run."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

_MOMENT = sa.DateTime(timezone=True)
_IS_SCHEDULED = sa.text("state = 'scheduled'")


def upgrade() -> None:
    """Create them. Every job there is, is of no run; a constant default rewrites no row, but the claim's index is."""
    op.create_table(
        "campaigns",
        sa.Column("campaign_no", sa.Integer(), sa.Identity(), nullable=False, comment="Our number for the campaign"),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Whose it is"),
        sa.Column("key", sa.Text(), nullable=False, comment="What names it, whatever its name becomes"),
        sa.Column("name", sa.Text(), nullable=False, comment="Its name, for people"),
        sa.Column(
            "is_declared",
            sa.Boolean(),
            nullable=False,
            comment="Whether it stands in code: read-only here but for pauses",
        ),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="Its template"),
        sa.Column("cron", sa.Text(), nullable=False, comment="When it runs"),
        sa.Column("zone", sa.Text(), nullable=False, comment="The time zone of that"),
        sa.Column(
            "policies",
            postgresql.JSONB(),
            nullable=False,
            comment="Lane, spread, life, quota, missed runs, grace; spans in seconds",
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Its audience and its content, encrypted"),
        sa.Column(
            "fingerprint", sa.LargeBinary(), nullable=False, comment="Keyed hash of all that: whether it has changed"
        ),
        sa.Column("planned_through", _MOMENT, nullable=False, comment="Its instants up to here are dealt with"),
        sa.Column("next_at", _MOMENT, comment="The next one; null: none is to come"),
        sa.Column(
            "feed", postgresql.JSONB(), comment="What its feed said of itself when it was last read, to ask what is new"
        ),
        sa.Column(
            "created_at", _MOMENT, server_default=sa.func.now(), nullable=False, comment="When it was first stored"
        ),
        sa.Column(
            "changed_at", _MOMENT, server_default=sa.func.now(), nullable=False, comment="When it was last changed"
        ),
        sa.Column("paused_at", _MOMENT, comment="Since when it is paused; null: it is not"),
        sa.Column("retired_at", _MOMENT, comment="When it was deleted, or taken out of the code; null: it is in force"),
        sa.ForeignKeyConstraint(["app_no"], ["pushjobs.apps.app_no"], name=op.f("fk_campaigns_app_no")),
        sa.PrimaryKeyConstraint("campaign_no", name=op.f("pk_campaigns")),
        schema="pushjobs",
        comment="What is sent to many users again and again",
    )
    op.create_index(
        "uq_campaigns_key",
        "campaigns",
        ["key"],
        unique=True,
        schema="pushjobs",
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "runs",
        sa.Column("run_no", sa.Integer(), sa.Identity(), nullable=False, comment="Our number for the run"),
        sa.Column("campaign_no", sa.Integer(), nullable=False, comment="Its campaign"),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The campaign's app"),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="The campaign's template when it was planned"),
        sa.Column("instant", _MOMENT, nullable=False, comment="The moment it is for"),
        sa.Column(
            "begins_at", _MOMENT, nullable=False, comment="Its first job's moment: the instant, later if made up for"
        ),
        sa.Column(
            "state",
            sa.Enum(
                "planned",
                "preparing",
                "open",
                "finished",
                "cancelled",
                "failed",
                "skipped",
                name="run_state",
                schema="pushjobs",
            ),
            nullable=False,
            comment="Where it stands",
        ),
        sa.Column("reason", sa.Text(), comment="Why it was stopped"),
        sa.Column("note", sa.Text(), comment="The last trouble with its audience or its content, in words"),
        sa.Column("policies", postgresql.JSONB(), nullable=False, comment="The campaign's when it was planned"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="The campaign's when it was planned"),
        sa.Column(
            "content_no",
            sa.BigInteger(),
            comment="What its jobs share, stored once it is known; null: each has its own",
        ),
        sa.Column("content_at", _MOMENT, comment="When what they say was known; null: it is not yet"),
        sa.Column("read_at", _MOMENT, comment="When its audience was read"),
        sa.Column("recipients", sa.Integer(), comment="Users in it, each once"),
        sa.Column("rejected", sa.Integer(), comment="Rows of it that were none"),
        sa.Column(
            "faults", postgresql.JSONB(), comment="What was wrong with the first of those: number, field, fault, rule"
        ),
        sa.Column("first_member", sa.BigInteger(), comment="Its first row in `snapshots`"),
        sa.Column("last_member", sa.BigInteger(), comment="Its last one"),
        sa.Column("cursor", sa.BigInteger(), comment="The last one whose job is made"),
        sa.Column("expanded", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Jobs made"),
        sa.Column("first_job", sa.BigInteger(), comment="The lowest number of its jobs"),
        sa.Column("last_job", sa.BigInteger(), comment="The highest; jobs of others may lie between"),
        sa.Column("expanded_at", _MOMENT, comment="When its last job was made"),
        sa.Column("opened_at", _MOMENT, comment="From when on its jobs could leave"),
        sa.Column("paused_at", _MOMENT, comment="Since when its jobs are held; null: they are not"),
        sa.Column("read_again_at", _MOMENT, comment="Until then nobody tries to read its audience again"),
        sa.Column("fetch_again_at", _MOMENT, comment="Until then nobody tries to fetch its content again"),
        sa.Column("finished_at", _MOMENT, comment="When nothing of it was left to do"),
        sa.Column(
            "counts",
            postgresql.JSONB(),
            comment="Its jobs by state and reason, when they were last counted; kept for ever",
        ),
        sa.Column("counted_at", _MOMENT, comment="When that was"),
        sa.CheckConstraint("begins_at >= instant", name=op.f("ck_runs_begins_no_earlier")),
        sa.ForeignKeyConstraint(["campaign_no"], ["pushjobs.campaigns.campaign_no"], name=op.f("fk_runs_campaign_no")),
        sa.PrimaryKeyConstraint("run_no", name=op.f("pk_runs")),
        sa.UniqueConstraint("campaign_no", "instant", name=op.f("uq_runs_campaign_no_instant")),
        schema="pushjobs",
        comment="One instant of a campaign: there is one row for it, so it is run once",
    )
    op.create_index(
        "ix_runs_unfinished", "runs", ["begins_at"], schema="pushjobs", postgresql_where=sa.text("finished_at IS NULL")
    )
    op.create_table(
        "snapshots",
        sa.Column("member_no", sa.BigInteger(), sa.Identity(), nullable=False, comment="In a run's order"),
        sa.Column("run_no", sa.Integer(), nullable=False, comment="The run"),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Its app"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Open id and own content, encrypted as in a job"),
        sa.PrimaryKeyConstraint("member_no", name=op.f("pk_snapshots")),
        schema="pushjobs",
        comment="Whom a run is for, as its audience was read; gone when its jobs are made",
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.1, "autovacuum_vacuum_insert_scale_factor": 0.5},
    )
    op.add_column(
        "jobs",
        sa.Column(
            "run_no",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="The campaign's run it is of; 0: none",
        ),
        schema="pushjobs",
    )
    _index_due("app_no", "lane", "template_no", "run_no", "due_at", "id")


def downgrade() -> None:
    """Undo it."""
    _index_due("app_no", "lane", "template_no", "due_at", "id")
    op.drop_column("jobs", "run_no", schema="pushjobs")
    for table in ("snapshots", "runs", "campaigns"):
        op.drop_table(table, schema="pushjobs")
    op.execute("DROP TYPE pushjobs.run_state")


def _index_due(*columns: str) -> None:
    op.drop_index("ix_jobs_due", table_name="jobs", schema="pushjobs")
    op.create_index("ix_jobs_due", "jobs", list(columns), schema="pushjobs", postgresql_where=_IS_SCHEDULED)
