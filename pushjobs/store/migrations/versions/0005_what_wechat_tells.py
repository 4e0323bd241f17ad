"""Events, receipts and pushes to be forwarded."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_EVENT_KIND = postgresql.ENUM(
    "consent_given", "consent_withdrawn", "receipt", name="event_kind", schema="pushjobs", create_type=False
)
_EVENT_STATE = postgresql.ENUM("waiting", "applied", "left", name="event_state", schema="pushjobs", create_type=False)
_PUSH_STATE = postgresql.ENUM("waiting", "forwarded", "dead", name="push_state", schema="pushjobs", create_type=False)
_RECEIPT_STATE = postgresql.ENUM("delivered", "failed", name="receipt_state", schema="pushjobs", create_type=False)
_WORDS = (_EVENT_KIND, _EVENT_STATE, _PUSH_STATE, _RECEIPT_STATE)


def upgrade() -> None:
    """Create what WeChat's callbacks are kept in."""
    for words in _WORDS:
        words.create(op.get_bind())
    op.create_table(
        "events",
        sa.Column("event_no", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="Order of arrival"),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="Keyed hash of what is told: a repeat has the same"),
        sa.Column("kind", _EVENT_KIND, nullable=False, comment="What it tells"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("template_id", sa.Text(), nullable=False, comment="WeChat's id of the template"),
        sa.Column(
            "happened_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it happened, in WeChat's whole seconds",
        ),
        sa.Column("msgid", sa.BigInteger(), nullable=True, comment="WeChat's number of the message"),
        sa.Column("errcode", sa.Integer(), nullable=True, comment="WeChat's ErrorCode; 0 is success"),
        sa.Column("status", sa.Text(), nullable=True, comment="WeChat's ErrorStatus"),
        sa.Column("state", _EVENT_STATE, server_default="waiting", nullable=False, comment="Where it stands"),
        sa.Column(
            "tries",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often nothing fitted it",
        ),
        sa.Column(
            "try_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it is tried next",
        ),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it came",
        ),
        sa.PrimaryKeyConstraint("event_no", name=op.f("pk_events")),
        sa.UniqueConstraint("app_no", "key", name=op.f("uq_events_app_no_key")),
        schema="pushjobs",
        comment="What WeChat told by its callbacks, one row a thing told, without an open id",
    )
    op.create_index("ix_events_received_at", "events", ["received_at"], unique=False, schema="pushjobs")
    op.create_index(
        "ix_events_open",
        "events",
        ["state", "try_at", "event_no"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('waiting', 'left')"),
    )
    op.create_table(
        "pushes",
        sa.Column("push_no", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="Order of arrival"),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="Keyed hash of the message: a repeat has the same"),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The push as it came, encrypted; null once it is forwarded",
        ),
        sa.Column("state", _PUSH_STATE, server_default="waiting", nullable=False, comment="Where it stands"),
        sa.Column(
            "attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False, comment="How often it was tried"
        ),
        sa.Column(
            "try_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it is tried next",
        ),
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
            comment="When it came",
        ),
        sa.PrimaryKeyConstraint("push_no", name=op.f("pk_pushes")),
        sa.UniqueConstraint("app_no", "key", name=op.f("uq_pushes_app_no_key")),
        schema="pushjobs",
        comment="Callbacks on their way to the app's own door",
    )
    op.create_index("ix_pushes_received_at", "pushes", ["received_at"], unique=False, schema="pushjobs")
    op.create_index(
        "ix_pushes_open",
        "pushes",
        ["state", "try_at", "push_no"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('waiting', 'dead')"),
    )
    op.create_table(
        "receipts",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The job"),
        sa.Column("state", _RECEIPT_STATE, nullable=False, comment="What became of its message"),
        sa.Column(
            "errcode", sa.Integer(), nullable=True, comment="WeChat's ErrorCode; 0 is success, null what was no number"
        ),
        sa.Column("status", sa.Text(), nullable=True, comment="WeChat's ErrorStatus"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When, in WeChat's whole seconds"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_receipts")),
        schema="pushjobs",
        comment="What WeChat told of sent messages afterwards; beside the jobs, which are written at every send",
    )
    op.add_column(
        "consents",
        sa.Column(
            "granted_from",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the oldest of the credits was given",
        ),
        schema="pushjobs",
    )
    op.add_column(
        "consents",
        sa.Column(
            "refused_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When WeChat or the user last said no: a yes from before counts for nothing",
        ),
        schema="pushjobs",
    )
    op.create_index(
        "ix_jobs_msgid",
        "jobs",
        ["msgid"],
        unique=False,
        schema="pushjobs",
        postgresql_where=sa.text("msgid IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_jobs_msgid", table_name="jobs", schema="pushjobs", postgresql_where=sa.text("msgid IS NOT NULL"))
    op.drop_column("consents", "refused_at", schema="pushjobs")
    op.drop_column("consents", "granted_from", schema="pushjobs")
    op.drop_table("receipts", schema="pushjobs")
    op.drop_index(
        "ix_pushes_open",
        table_name="pushes",
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('waiting', 'dead')"),
    )
    op.drop_index("ix_pushes_received_at", table_name="pushes", schema="pushjobs")
    op.drop_table("pushes", schema="pushjobs")
    op.drop_index(
        "ix_events_open",
        table_name="events",
        schema="pushjobs",
        postgresql_where=sa.text("state IN ('waiting', 'left')"),
    )
    op.drop_index("ix_events_received_at", table_name="events", schema="pushjobs")
    op.drop_table("events", schema="pushjobs")
    for words in _WORDS:
        words.drop(op.get_bind())
