"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_ON_QUOTA = postgresql.ENUM("defer", "refuse", name="on_quota", schema="pushjobs", create_type=False)
_LANE = postgresql.ENUM("urgent", "bulk", name="lane", schema="pushjobs", create_type=False)
_JOB_STATE = postgresql.ENUM(
    "scheduled",
    "released",
    "sending",
    "sent",
    "refused",
    "expired",
    "cancelled",
    "dead",
    "in_doubt",
    name="job_state",
    schema="pushjobs",
    create_type=False,
)


def upgrade() -> None:
    """Create the first tables."""
    for words in (_JOB_STATE, _LANE, _ON_QUOTA):
        words.create(op.get_bind())
    op.create_table(
        "apps",
        sa.Column(
            "app_no", sa.SmallInteger(), sa.Identity(always=False), nullable=False, comment="Our number for the app"
        ),
        sa.Column("appid", sa.Text(), nullable=False, comment="WeChat's appid"),
        sa.Column(
            "templates_synced_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When its catalogue was last read from WeChat; null: never",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When we first heard of it",
        ),
        sa.PrimaryKeyConstraint("app_no", name=op.f("pk_apps")),
        sa.UniqueConstraint("appid", name=op.f("uq_apps_appid")),
        schema="pushjobs",
        comment="Mini Programs we send for",
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False, comment="What is remembered"),
        sa.Column("value", sa.Text(), nullable=False, comment="Its value"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
        schema="pushjobs",
        comment="Facts about this installation that every process must agree on, such as the lookup key's fingerprint",
    )
    op.create_table(
        "job_history",
        sa.Column("entry_no", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="Order of entry"),
        sa.Column("job_id", sa.BigInteger(), nullable=False, comment="The job; it may be pruned before its history"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it happened",
        ),
        sa.Column("release_no", sa.Integer(), nullable=False, comment="The release it belongs to"),
        sa.Column("transition", sa.Text(), nullable=False, comment="What happened, in the words of the lifecycle"),
        sa.Column("state", _JOB_STATE, nullable=False, comment="The state it led to"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why"),
        sa.Column("errcode", sa.Integer(), nullable=True, comment="WeChat's answer, where there was one"),
        sa.PrimaryKeyConstraint("entry_no", name=op.f("pk_job_history")),
        schema="pushjobs",
        comment="Everything but the happy path, whose times stand on the job",
    )
    op.create_index("ix_job_history_job_id", "job_history", ["job_id", "entry_no"], unique=False, schema="pushjobs")
    op.create_table(
        "settlements",
        sa.Column("entry_no", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="Order of entry"),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When the slice was settled",
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("lane", _LANE, nullable=False, comment="The lane"),
        sa.Column("jobs", sa.Integer(), nullable=False, comment="How many jobs the slice settled"),
        sa.PrimaryKeyConstraint("entry_no", name=op.f("pk_settlements")),
        schema="pushjobs",
        comment="One row a slice: what the last seconds drained, for back-pressure",
    )
    op.create_index("ix_settlements_at", "settlements", ["at"], unique=False, schema="pushjobs")
    op.create_table(
        "idempotency_keys",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("key", sa.Text(), nullable=False, comment="The caller's key"),
        sa.Column(
            "fingerprint", sa.LargeBinary(), nullable=False, comment="Keyed hash of the body: another one is refused"
        ),
        sa.Column("job_id", sa.BigInteger(), nullable=False, comment="The job it made"),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=False, comment="The job's deadline and 30 days"),
        sa.ForeignKeyConstraint(["app_no"], ["pushjobs.apps.app_no"], name=op.f("fk_idempotency_keys_app_no")),
        sa.PrimaryKeyConstraint("app_no", "key", name=op.f("pk_idempotency_keys")),
        schema="pushjobs",
        comment="Keys outlive their jobs",
    )
    op.create_index(
        "ix_idempotency_keys_keep_until", "idempotency_keys", ["keep_until"], unique=False, schema="pushjobs"
    )
    op.create_table(
        "templates",
        sa.Column(
            "template_no",
            sa.Integer(),
            sa.Identity(always=False),
            nullable=False,
            comment="Our number for the template",
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Whose it is"),
        sa.Column("template_id", sa.Text(), nullable=False, comment="WeChat's priTmplId, or a legacy template's id"),
        sa.Column("title", sa.Text(), nullable=True, comment="Its title in WeChat's catalogue"),
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Its keys in order, each with its allowed values; null: not in the catalogue",
        ),
        sa.Column(
            "synced_at", sa.DateTime(timezone=True), nullable=True, comment="When WeChat last listed it; null: never"
        ),
        sa.ForeignKeyConstraint(["app_no"], ["pushjobs.apps.app_no"], name=op.f("fk_templates_app_no")),
        sa.PrimaryKeyConstraint("template_no", name=op.f("pk_templates")),
        sa.UniqueConstraint("app_no", "template_id", name=op.f("uq_templates_app_no_template_id")),
        schema="pushjobs",
        comment="Every template a job was ever made for, and the synced catalogue",
    )
    op.create_table(
        "contents",
        sa.Column(
            "content_no",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="Our number for the content",
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Whose it is"),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="Its template"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="The content, encrypted"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was stored",
        ),
        sa.ForeignKeyConstraint(["app_no"], ["pushjobs.apps.app_no"], name=op.f("fk_contents_app_no")),
        sa.ForeignKeyConstraint(
            ["template_no"], ["pushjobs.templates.template_no"], name=op.f("fk_contents_template_no")
        ),
        sa.PrimaryKeyConstraint("content_no", name=op.f("pk_contents")),
        schema="pushjobs",
        comment="Contents shared by many jobs, stored once",
    )
    op.create_table(
        "jobs",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False, maxvalue=9007199254740991),
            nullable=False,
            comment="The job's number, below 2^53",
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app that sends it"),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="Its template"),
        sa.Column("content_no", sa.BigInteger(), nullable=True, comment="Its shared content, if any"),
        sa.Column("lane", _LANE, nullable=False, comment="The queue it leaves by"),
        sa.Column("state", _JOB_STATE, nullable=False, comment="Where it stands"),
        sa.Column("on_quota", _ON_QUOTA, nullable=False, comment="What becomes of it when the user's day is full"),
        sa.Column(
            "release_no",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Raised by every release; fences",
        ),
        sa.Column(
            "attempts",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Calls that may have left us",
        ),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False, comment="The `time` that was asked for"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="When it is tried next"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="After this it is worthless"),
        sa.Column(
            "lease_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until when its worker may hold it; null unless released or sending",
        ),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Open id, form id and own content, encrypted"),
        sa.Column("reference", sa.Text(), nullable=True, comment="The caller's own number for it; need not be unique"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it is in its state; null on the happy path"),
        sa.Column("errcode", sa.Integer(), nullable=True, comment="WeChat's last answer, if it was a refusal"),
        sa.Column("msgid", sa.BigInteger(), nullable=True, comment="WeChat's number of the message"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was accepted",
        ),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=True, comment="When its last call left"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="When it reached its closing state"),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (state IN ('scheduled', 'released', 'sending'))",
            name=op.f("ck_jobs_closed_at_only_when_closed"),
        ),
        sa.CheckConstraint(
            "(lease_until IS NOT NULL) = (state IN ('released', 'sending'))",
            name=op.f("ck_jobs_lease_only_while_released_or_sending"),
        ),
        sa.CheckConstraint("expires_at > planned_at", name=op.f("ck_jobs_expires_after_planned")),
        sa.CheckConstraint("octet_length(recipient) = 16", name=op.f("ck_jobs_recipient_is_16_bytes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        schema="pushjobs",
        comment="One push to one user at one time",
    )
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["app_no", "lane", "due_at", "id"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    op.create_index(
        "ix_jobs_leased",
        "jobs",
        ["app_no", "lane", "lease_until"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('released', 'sending')"),
    )
    op.create_index("ix_jobs_recipient", "jobs", ["recipient", "id"], unique=False, schema="pushjobs")
    op.create_index(
        "ix_jobs_reference",
        "jobs",
        ["reference", "id"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_troubled",
        "jobs",
        ["state", "id"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('refused', 'expired', 'dead', 'in_doubt')"),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(
        "ix_jobs_troubled",
        table_name="jobs",
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('refused', 'expired', 'dead', 'in_doubt')"),
    )
    op.drop_index(
        "ix_jobs_reference", table_name="jobs", schema="pushjobs", postgresql_where=sa.text("reference IS NOT NULL")
    )
    op.drop_index("ix_jobs_recipient", table_name="jobs", schema="pushjobs")
    op.drop_index(
        "ix_jobs_leased",
        table_name="jobs",
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('released', 'sending')"),
    )
    op.drop_index("ix_jobs_due", table_name="jobs", schema="pushjobs", postgresql_where=sa.text("state = 'scheduled'"))
    op.drop_table("jobs", schema="pushjobs")
    op.drop_table("contents", schema="pushjobs")
    op.drop_table("templates", schema="pushjobs")
    op.drop_index("ix_idempotency_keys_keep_until", table_name="idempotency_keys", schema="pushjobs")
    op.drop_table("idempotency_keys", schema="pushjobs")
    op.drop_index("ix_settlements_at", table_name="settlements", schema="pushjobs")
    op.drop_table("settlements", schema="pushjobs")
    op.drop_index("ix_job_history_job_id", table_name="job_history", schema="pushjobs")
    op.drop_table("job_history", schema="pushjobs")
    op.drop_table("installation", schema="pushjobs")
    op.drop_table("apps", schema="pushjobs")
    for words in (_JOB_STATE, _LANE, _ON_QUOTA):
        words.drop(op.get_bind())
