"""What is wrong, who has been told of it, and an index that finds what came in doubt lately."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create three tables and an index; nobody has been told of anything yet."""
    moment = sa.DateTime(timezone=True)
    now = sa.text("now()")
    op.create_table(
        "alerts",
        sa.Column("alert_no", sa.BigInteger(), sa.Identity(), nullable=False, comment="Our number for the alert"),
        sa.Column("kind", sa.Text(), nullable=False, comment="What is wrong, in the words of the house"),
        sa.Column("appid", sa.Text(), nullable=False, comment="Of which app; empty: of the installation"),
        sa.Column(
            "subject", sa.Text(), nullable=False, comment="Of what: a template, a lane, a campaign, a client; or empty"
        ),
        sa.Column("detail", sa.Text(), nullable=False, comment="How it was when it was last seen; nothing of a user"),
        sa.Column("since", moment, server_default=now, nullable=False, comment="When it was first seen"),
        sa.Column("seen_at", moment, server_default=now, nullable=False, comment="When it was last seen"),
        sa.Column("began_at", moment, comment="When it had held long enough to be told; null: not yet"),
        sa.Column("noted_at", moment, comment="When the last notice of it was made"),
        sa.Column("gone_at", moment, comment="Since when it is gone; null: it is there"),
        sa.Column("ended_at", moment, comment="The same, once it was gone long enough; null: it is open"),
        sa.PrimaryKeyConstraint("alert_no", name=op.f("pk_alerts")),
        schema="pushjobs",
        comment="What somebody should know of; a row ends, and what comes again is another one",
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["kind", "appid", "subject"],
        unique=True,
        schema="pushjobs",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_alerts_ended_at",
        "alerts",
        ["ended_at"],
        schema="pushjobs",
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_table(
        "alert_notices",
        sa.Column("notice_no", sa.BigInteger(), sa.Identity(), nullable=False, comment="Order of entry, and of commit"),
        sa.Column("alert_no", sa.BigInteger(), nullable=False, comment="Of what"),
        sa.Column("what", sa.Text(), nullable=False, comment="That it began, goes on or ended"),
        sa.Column("at", moment, server_default=now, nullable=False, comment="When"),
        sa.PrimaryKeyConstraint("notice_no", name=op.f("pk_alert_notices")),
        sa.ForeignKeyConstraint(
            ["alert_no"], ["pushjobs.alerts.alert_no"], name=op.f("fk_alert_notices_alert_no"), ondelete="CASCADE"
        ),
        schema="pushjobs",
        comment="What is to be told of alerts, to each address in this order",
    )
    op.create_index("ix_alert_notices_alert_no", "alert_notices", ["alert_no"], schema="pushjobs")
    op.create_table(
        "alert_addresses",
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False, comment="Hash of the address, which may hold a key"),
        sa.Column("host", sa.Text(), nullable=False, comment="Its host, for people"),
        sa.Column("told_through", sa.BigInteger(), nullable=False, comment="The last notice that was taken there"),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often the next was tried",
        ),
        sa.Column("try_at", moment, server_default=now, nullable=False, comment="When the next may leave"),
        sa.Column("told_at", moment, comment="When something was last taken"),
        sa.Column("fault", sa.Text(), comment="Why the last was not taken; null: it was"),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_alert_addresses")),
        schema="pushjobs",
        comment="How far each address has been told",
    )
    op.create_index(
        "ix_jobs_doubted", "jobs", ["closed_at"], schema="pushjobs", postgresql_where=sa.text("state = 'in_doubt'")
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index("ix_jobs_doubted", "jobs", schema="pushjobs")
    op.drop_table("alert_addresses", schema="pushjobs")
    op.drop_table("alert_notices", schema="pushjobs")
    op.drop_table("alerts", schema="pushjobs")
