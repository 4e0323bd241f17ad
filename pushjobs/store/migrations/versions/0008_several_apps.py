"""Several apps: what each has of its own, and its secrets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_OWN = (
    ("settings", postgresql.JSONB(), "What it has of its own, by name; null: the environment's app, or nobody's"),
    ("sealed", sa.LargeBinary(), "Encrypted: its secret, and its callbacks' token and AES key"),
)


def upgrade() -> None:
    """Give every app settings and secrets of its own; those there are have none, being the environment's."""
    for name, kind, comment in _OWN:
        op.add_column("apps", sa.Column(name, kind, nullable=True, comment=comment), schema="pushjobs")
    op.create_check_constraint(
        op.f("ck_apps_settings_with_secrets"), "apps", "(settings IS NULL) = (sealed IS NULL)", schema="pushjobs"
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_constraint(op.f("ck_apps_settings_with_secrets"), "apps", schema="pushjobs", type_="check")
    for name, _, _ in _OWN:
        op.drop_column("apps", name, schema="pushjobs")
