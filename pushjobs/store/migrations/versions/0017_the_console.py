"""Who is signed in at the console, and what was done there."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create both tables; nobody is signed in."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie's 256 random bits"),
        sa.Column("client_no", sa.Integer(), nullable=False, comment="Who signed in"),
        sa.Column(
            "key_hash", sa.LargeBinary(), nullable=False, comment="The client's hash of the key it signed in with"
        ),
        sa.Column("made_at", moment, server_default=sa.text("now()"), nullable=False, comment="When it signed in"),
        sa.Column("used_at", moment, server_default=sa.text("now()"), nullable=False, comment="When it was last there"),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
        sa.ForeignKeyConstraint(["client_no"], ["pushjobs.clients.client_no"], name=op.f("fk_sessions_client_no")),
        schema="pushjobs",
        comment="Who is signed in at the console; what stands here opens nothing",
    )
    op.create_index("ix_sessions_used_at", "sessions", ["used_at"], schema="pushjobs")
    op.create_table(
        "audit",
        sa.Column("entry_no", sa.BigInteger(), sa.Identity(), nullable=False, comment="Order of entry"),
        sa.Column(
            "at", moment, server_default=sa.text("clock_timestamp()"), nullable=False, comment="When it was begun"
        ),
        sa.Column("client_no", sa.Integer(), nullable=False, comment="Who did it"),
        sa.Column("client", sa.Text(), nullable=False, comment="Its name then"),
        sa.Column("door", sa.Text(), nullable=False, comment="Where it was asked for"),
        sa.Column("action", sa.Text(), nullable=False, comment="What was done, in the words of the house"),
        sa.Column(
            "what",
            postgresql.JSONB(),
            nullable=False,
            comment="To what: ids, counts, filters; no open id and no content",
        ),
        sa.Column("ended_at", moment, comment="When it was over; null: whoever did it died, and it may have been done"),
        sa.Column("outcome", postgresql.JSONB(), comment="What came of it: counts, or the refusal's words"),
        sa.PrimaryKeyConstraint("entry_no", name=op.f("pk_audit")),
        schema="pushjobs",
        comment="What operators did at the console; each line is committed before what it tells of is begun",
    )
    op.create_index("ix_audit_at", "audit", ["at"], schema="pushjobs")
    op.create_index("ix_audit_client_no", "audit", ["client_no", "entry_no"], schema="pushjobs")


def downgrade() -> None:
    """Undo it."""
    op.drop_table("audit", schema="pushjobs")
    op.drop_table("sessions", schema="pushjobs")
