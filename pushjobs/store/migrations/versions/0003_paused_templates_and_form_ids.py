"""The claim's index by template, so that a paused one is not visited; and who holds the messages of legacy form ids."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Put the template before the moment; create what the claims to form ids stand on."""
    _due_by("app_no", "lane", "template_no", "due_at", "id")
    op.create_table(
        "form_ids",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column(
            "form_id", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and legacy form id, 16 bytes"
        ),
        sa.Column(
            "holders",
            postgresql.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Jobs that hold a message of it, as they came; one that was let go of is dropped by the next taker",
        ),
        sa.Column(
            "is_void",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether WeChat called it invalid or used up",
        ),
        sa.Column(
            "keep_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it serves for nothing and no holder waits any more",
        ),
        sa.PrimaryKeyConstraint("app_no", "form_id", name=op.f("pk_form_ids")),
        schema="pushjobs",
        comment="Legacy form ids: whose each message is",
    )
    op.create_index("ix_form_ids_keep_until", "form_ids", ["keep_until"], schema="pushjobs")


def downgrade() -> None:
    """Undo it."""
    op.drop_table("form_ids", schema="pushjobs")
    _due_by("app_no", "lane", "due_at", "id")


def _due_by(*columns: str) -> None:
    op.drop_index("ix_jobs_due", table_name="jobs", schema="pushjobs")
    op.create_index("ix_jobs_due", "jobs", columns, schema="pushjobs", postgresql_where=sa.text("state = 'scheduled'"))
