"""Where clients are told of their jobs' ends, and what they have not been told yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"

_JOB_STATE = postgresql.ENUM(name="job_state", schema="pushjobs", create_type=False)


def upgrade() -> None:
    """Create both tables; no client has a webhook yet."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "webhooks",
        sa.Column("client_no", sa.Integer(), nullable=False, comment="Whose it is"),
        sa.Column("url", sa.Text(), comment="Where it is told; null: it is told nothing any more"),
        sa.Column("sealed", sa.LargeBinary(), comment="The signing secret, encrypted; null with the address"),
        sa.Column("delivery", sa.UUID(), comment="The id of the POST under way, the same at each of its attempts"),
        sa.Column(
            "taken",
            sa.ARRAY(sa.BigInteger()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="The outcomes in it; one that was given up is there no more",
        ),
        sa.Column(
            "attempts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="How often it was tried"
        ),
        sa.Column(
            "try_at", moment, server_default=sa.text("now()"), nullable=False, comment="When the next POST may leave"
        ),
        sa.Column("told_at", moment, comment="When one was last taken"),
        sa.Column(
            "told",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Outcomes that were taken, in all",
        ),
        sa.Column(
            "given_up",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Outcomes nobody took in a day",
        ),
        sa.PrimaryKeyConstraint("client_no", name=op.f("pk_webhooks")),
        sa.ForeignKeyConstraint(["client_no"], ["pushjobs.clients.client_no"], name=op.f("fk_webhooks_client_no")),
        schema="pushjobs",
        comment="Where clients are told of their jobs' ends; a row stays when its address goes",
    )
    op.create_table(
        "outcomes",
        sa.Column(
            "outcome_no", sa.BigInteger(), sa.Identity(), nullable=False, comment="Order of entry, not of commit"
        ),
        sa.Column("client_no", sa.Integer(), nullable=False, comment="Who is told"),
        sa.Column("job_id", sa.BigInteger(), nullable=False, comment="The job that closed"),
        sa.Column("state", _JOB_STATE, nullable=False, comment="The state it closed in"),
        sa.Column("reason", sa.Text(), comment="Why; null on the happy path"),
        sa.Column("errcode", sa.Integer(), comment="WeChat's answer, if it was a refusal"),
        sa.Column("closed_at", moment, nullable=False, comment="When it closed"),
        sa.PrimaryKeyConstraint("outcome_no", name=op.f("pk_outcomes")),
        schema="pushjobs",
        comment="Ends of jobs that their clients have not been told of yet",
    )
    op.create_index("ix_outcomes_client_no", "outcomes", ["client_no", "closed_at", "outcome_no"], schema="pushjobs")


def downgrade() -> None:
    """Undo it."""
    op.drop_table("outcomes", schema="pushjobs")
    op.drop_table("webhooks", schema="pushjobs")
