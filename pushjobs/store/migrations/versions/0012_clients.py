"""The clients of the HTTP doors, and which of them a job is from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Create their table; jobs that are there are from none of them."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "clients",
        sa.Column("client_no", sa.Integer(), sa.Identity(), nullable=False, comment="Our number for the client"),
        sa.Column("id", sa.Text(), nullable=False, comment="What it calls itself at a door; made by us"),
        sa.Column("name", sa.Text(), nullable=False, comment="What people call it; free again once it is revoked"),
        sa.Column("apps", ARRAY(sa.Text()), comment="The appids it may act for, the usual one first; null: all"),
        sa.Column("templates", ARRAY(sa.Text()), comment="The template ids it may send; null: all"),
        sa.Column("rights", ARRAY(sa.Text()), nullable=False, comment="Of read, write, operate"),
        sa.Column("per_second", sa.Float(), comment="Requests a second at one process of the doors; null: no limit"),
        sa.Column(
            "key_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of id and key; the key is 256 random bits"
        ),
        sa.Column("old_key_hash", sa.LargeBinary(), comment="The same of the key before it"),
        sa.Column("old_key_until", moment, comment="Until when that one is good"),
        sa.Column(
            "tokens_from",
            moment,
            server_default=sa.func.now(),
            nullable=False,
            comment="Older access tokens are void",
        ),
        sa.Column("created_at", moment, server_default=sa.func.now(), nullable=False, comment="When it was added"),
        sa.Column("rotated_at", moment, comment="When its key was last replaced"),
        sa.Column("revoked_at", moment, comment="Since when it is nobody; null: it is not revoked"),
        sa.PrimaryKeyConstraint("client_no", name=op.f("pk_clients")),
        sa.UniqueConstraint("id", name=op.f("uq_clients_id")),
        schema="pushjobs",
        comment="Programs that speak to us over HTTP, and what each may do",
    )
    op.create_index(
        "ix_clients_name",
        "clients",
        ["name"],
        unique=True,
        schema="pushjobs",
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.add_column(
        "jobs",
        sa.Column("client_no", sa.Integer(), comment="The client that asked for it over HTTP; null: nobody did"),
        schema="pushjobs",
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_column("jobs", "client_no", schema="pushjobs")
    op.drop_table("clients", schema="pushjobs")
