"""What WeChat allows an app a day, as it says itself."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add WeChat's figures to the app's days."""
    columns = (
        sa.Column("daily_limit", sa.Integer(), comment="What WeChat allows, as it said last; null: it never has"),
        sa.Column(
            "elsewhere",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Calls that WeChat had counted beyond our own when it was asked",
        ),
        sa.Column(
            "asked_at", sa.DateTime(timezone=True), comment="When WeChat was last asked that day; null: not that day"
        ),
    )
    for column in columns:
        op.add_column("app_days", column, schema="pushjobs")


def downgrade() -> None:
    """Undo it."""
    for name in ("asked_at", "elsewhere", "daily_limit"):
        op.drop_column("app_days", name, schema="pushjobs")
