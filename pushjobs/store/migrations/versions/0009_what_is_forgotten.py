"""What is forgotten: users by request, closed jobs by age."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_CLOSED = "state IN ('sent', 'refused', 'expired', 'cancelled', 'dead')"
_SEALED = "Open id, form id and own content, encrypted"


def upgrade() -> None:
    """Let a job be without its message, remember whom to forget, index what is pruned, and vacuum it sooner."""
    op.alter_column(
        "jobs",
        "sealed",
        nullable=True,
        comment=f"{_SEALED}; null: its user is forgotten",
        existing_type=sa.LargeBinary(),
        existing_comment=_SEALED,
        schema="pushjobs",
    )
    op.create_index(
        "ix_jobs_closed", "jobs", ["state", "closed_at"], schema="pushjobs", postgresql_where=sa.text(_CLOSED)
    )
    op.create_index(
        "ix_jobs_content_no",
        "jobs",
        ["content_no"],
        schema="pushjobs",
        postgresql_where=sa.text("content_no IS NOT NULL"),
    )
    op.execute(
        "ALTER TABLE pushjobs.jobs SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000,"
        " autovacuum_analyze_scale_factor = 0.02)"
    )
    op.create_table(
        "erasures",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("up_to", sa.BigInteger(), nullable=False, comment="The last job number drawn when it was asked for"),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was asked for",
        ),
        sa.PrimaryKeyConstraint("app_no", "recipient", name=op.f("pk_erasures")),
        schema="pushjobs",
        comment="Users to be forgotten, until nothing of theirs is left: what is being sent just now is let end",
    )


def downgrade() -> None:
    """Undo it; a forgotten user's message stays gone, and nothing opens what stands in its place."""
    op.drop_table("erasures", schema="pushjobs")
    op.execute(
        "ALTER TABLE pushjobs.jobs RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,"
        " autovacuum_analyze_scale_factor)"
    )
    op.drop_index("ix_jobs_content_no", table_name="jobs", schema="pushjobs")
    op.drop_index("ix_jobs_closed", table_name="jobs", schema="pushjobs")
    op.execute("UPDATE pushjobs.jobs SET sealed = '' WHERE sealed IS NULL")
    op.alter_column(
        "jobs",
        "sealed",
        nullable=False,
        comment=_SEALED,
        existing_type=sa.LargeBinary(),
        existing_comment=f"{_SEALED}; null: its user is forgotten",
        schema="pushjobs",
    )
