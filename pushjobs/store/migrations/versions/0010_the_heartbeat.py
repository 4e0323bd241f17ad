"""The heartbeat: how far the database has come, and where it stands."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_FIRST = """
INSERT INTO pushjobs.heartbeat (server, timeline)
SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) FROM pg_control_system()"""


def upgrade() -> None:
    """Create it, with the one row it has."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "heartbeat",
        sa.Column("is_here", sa.Boolean(), server_default=sa.text("true"), nullable=False, comment="There is one row"),
        sa.Column(
            "lineage",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Which database this is; its copies have the same",
        ),
        sa.Column("since", moment, server_default=sa.func.now(), nullable=False, comment="When the lineage began"),
        sa.Column("at", moment, server_default=sa.func.now(), nullable=False, comment="Raised about once a second"),
        sa.Column(
            "accepted_at",
            moment,
            server_default=sa.func.now(),
            nullable=False,
            comment="When it last was noticed that the database had stepped back",
        ),
        sa.Column("server", sa.BigInteger(), nullable=False, comment="The server it stood on then"),
        sa.Column("timeline", sa.Text(), nullable=False, comment="The timeline it stood in then, as in names of WAL"),
        sa.CheckConstraint("is_here", name=op.f("ck_heartbeat_there_is_one_row")),
        sa.PrimaryKeyConstraint("is_here", name=op.f("pk_heartbeat")),
        schema="pushjobs",
        comment="How far this database has come: what was seen of it is kept outside, so that a step back is noticed",
    )
    op.execute(_FIRST)


def downgrade() -> None:
    """Undo it."""
    op.drop_table("heartbeat", schema="pushjobs")
