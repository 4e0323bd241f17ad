"""The claim's index by template, so that a paused one is not visited."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Put the template before the moment."""
    _due_by("app_no", "lane", "template_no", "due_at", "id")


def downgrade() -> None:
    """Undo it."""
    _due_by("app_no", "lane", "due_at", "id")


def _due_by(*columns: str) -> None:
    op.drop_index("ix_jobs_due", table_name="jobs", schema="pushjobs")
    op.create_index("ix_jobs_due", "jobs", columns, schema="pushjobs", postgresql_where=sa.text("state = 'scheduled'"))
