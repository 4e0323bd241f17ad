"""The tables of campaigns, part of `tables`: what is sent when, each run of it, and whom a run is for."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from pushjobs.domain.campaign import RunState
from pushjobs.store.app_tables import apps
from pushjobs.store.schema import metadata, moment, words

__all__ = ["campaigns", "runs", "snapshots"]

_run_state = words(RunState, "run_state")

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_no", Integer, Identity(), primary_key=True, comment="Our number for the campaign"),
    Column("app_no", SmallInteger, ForeignKey(apps.c.app_no), nullable=False, comment="Whose it is"),
    Column("key", Text, nullable=False, comment="What names it, whatever its name becomes"),
    Column("name", Text, nullable=False, comment="Its name, for people"),
    Column("is_declared", Boolean, nullable=False, comment="Whether it stands in code: read-only here but for pauses"),
    Column("template_no", Integer, nullable=False, comment="Its template"),
    Column("cron", Text, nullable=False, comment="When it runs"),
    Column("zone", Text, nullable=False, comment="The time zone of that"),
    Column(
        "policies", JSONB, nullable=False, comment="Lane, spread, life, quota, missed runs, grace; spans in seconds"
    ),
    Column("sealed", LargeBinary, nullable=False, comment="Its audience and its content, encrypted"),
    Column("fingerprint", LargeBinary, nullable=False, comment="Keyed hash of all that: whether it has changed"),
    Column("planned_through", moment, nullable=False, comment="Its instants up to here are dealt with"),
    Column("next_at", moment, comment="The next one; null: none is to come"),
    Column("feed", JSONB, comment="What its feed said of itself when it was last read, to ask what is new"),
    Column("created_at", moment, nullable=False, server_default=func.now(), comment="When it was first stored"),
    Column("changed_at", moment, nullable=False, server_default=func.now(), comment="When it was last changed"),
    Column("paused_at", moment, comment="Since when it is paused; null: it is not"),
    Column("retired_at", moment, comment="When it was deleted, or taken out of the code; null: it is in force"),
    comment="What is sent to many users again and again",
)
Index(
    "uq_campaigns_key",
    campaigns.c.key,
    unique=True,
    postgresql_where=text("retired_at IS NULL"),
    info={"serves": "One campaign of a key in force, and finding it"},
)

runs = Table(
    "runs",
    metadata,
    Column("run_no", Integer, Identity(), primary_key=True, comment="Our number for the run"),
    Column("campaign_no", Integer, ForeignKey(campaigns.c.campaign_no), nullable=False, comment="Its campaign"),
    Column("app_no", SmallInteger, nullable=False, comment="The campaign's app"),
    Column("template_no", Integer, nullable=False, comment="The campaign's template when it was planned"),
    Column("instant", moment, nullable=False, comment="The moment it is for"),
    Column("begins_at", moment, nullable=False, comment="Its first job's moment: the instant, later if made up for"),
    Column("state", _run_state, nullable=False, comment="Where it stands"),
    Column("reason", Text, comment="Why it was stopped"),
    Column("note", Text, comment="The last trouble with its audience or its content, in words"),
    Column("policies", JSONB, nullable=False, comment="The campaign's when it was planned"),
    Column("sealed", LargeBinary, nullable=False, comment="The campaign's when it was planned"),
    Column("content_no", BigInteger, comment="What its jobs share, stored once it is known; null: each has its own"),
    Column("content_at", moment, comment="When what they say was known; null: it is not yet"),
    Column("read_at", moment, comment="When its audience was read"),
    Column("recipients", Integer, comment="Users in it, each once"),
    Column("rejected", Integer, comment="Rows of it that were none"),
    Column("faults", JSONB, comment="What was wrong with the first of those: number, field, fault, rule"),
    Column("first_member", BigInteger, comment="Its first row in `snapshots`"),
    Column("last_member", BigInteger, comment="Its last one"),
    Column("cursor", BigInteger, comment="The last one whose job is made"),
    Column("expanded", Integer, nullable=False, server_default=text("0"), comment="Jobs made"),
    Column("first_job", BigInteger, comment="The lowest number of its jobs"),
    Column("last_job", BigInteger, comment="The highest; jobs of others may lie between"),
    Column("expanded_at", moment, comment="When its last job was made"),
    Column("opened_at", moment, comment="From when on its jobs could leave"),
    Column("paused_at", moment, comment="Since when its jobs are held; null: they are not"),
    Column("read_again_at", moment, comment="Until then nobody tries to read its audience again"),
    Column("fetch_again_at", moment, comment="Until then nobody tries to fetch its content again"),
    Column("finished_at", moment, comment="When nothing of it was left to do"),
    Column("counts", JSONB, comment="Its jobs by state and reason, when they were last counted; kept for ever"),
    Column("counted_at", moment, comment="When that was"),
    UniqueConstraint("campaign_no", "instant"),
    CheckConstraint("begins_at >= instant", name="begins_no_earlier"),
    comment="One instant of a campaign: there is one row for it, so it is run once",
)
Index(
    "ix_runs_unfinished",
    runs.c.begins_at,
    postgresql_where=text("finished_at IS NULL"),
    info={"serves": "Ticks: the runs with something left to do, however many were"},
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("member_no", BigInteger, Identity(), primary_key=True, comment="In a run's order"),
    Column("run_no", Integer, nullable=False, comment="The run"),
    Column("app_no", SmallInteger, nullable=False, comment="Its app"),
    Column("recipient", LargeBinary, nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
    Column("sealed", LargeBinary, nullable=False, comment="Open id and own content, encrypted as in a job"),
    comment="Whom a run is for, as its audience was read; gone when its jobs are made",
    # Filled at once and deleted at once: what matters is that dead rows go soon.
    postgresql_with={"autovacuum_vacuum_scale_factor": 0.1, "autovacuum_vacuum_insert_scale_factor": 0.5},
)
