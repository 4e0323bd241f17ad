"""Audiences that were uploaded."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create their tables."""
    op.create_table(
        "audiences",
        sa.Column(
            "audience_no", sa.Integer(), sa.Identity(), nullable=False, comment="Our number for this upload of it"
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Whose it is"),
        sa.Column("name", sa.Text(), nullable=False, comment="What campaigns name it by"),
        sa.Column("recipients", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Rows kept"),
        sa.Column(
            "rejected",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Rows that were no recipients",
        ),
        sa.Column(
            "first_member",
            sa.BigInteger(),
            nullable=False,
            comment="None of its rows has a lower number; others' may",
        ),
        sa.Column("last_member", sa.BigInteger(), comment="None has a higher one"),
        sa.Column(
            "touched_at", _MOMENT, server_default=sa.func.now(), nullable=False, comment="When the last rows came"
        ),
        sa.Column("uploaded_at", _MOMENT, comment="From when on it is read; null: it is not there as a whole"),
        sa.Column(
            "replaced_at",
            _MOMENT,
            comment="When another took its place, or it was deleted or given up; null: it stands",
        ),
        sa.ForeignKeyConstraint(["app_no"], ["pushjobs.apps.app_no"], name=op.f("fk_audiences_app_no")),
        sa.PrimaryKeyConstraint("audience_no", name=op.f("pk_audiences")),
        schema="pushjobs",
        comment="To whom campaigns go, as it was uploaded; a row an upload, of which one of a name is in force",
    )
    op.create_index(
        "uq_audiences_name",
        "audiences",
        ["app_no", "name"],
        unique=True,
        schema="pushjobs",
        postgresql_where=sa.text("uploaded_at IS NOT NULL AND replaced_at IS NULL"),
    )
    op.create_table(
        "audience_members",
        sa.Column("member_no", sa.BigInteger(), sa.Identity(), nullable=False, comment="In the order of the rows"),
        sa.Column("audience_no", sa.Integer(), nullable=False, comment="The upload"),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Its app"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Open id and columns, encrypted"),
        sa.PrimaryKeyConstraint("member_no", name=op.f("pk_audience_members")),
        schema="pushjobs",
        comment="The rows of uploaded audiences",
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.1, "autovacuum_vacuum_insert_scale_factor": 0.5},
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("audience_members", schema="pushjobs")
    op.drop_table("audiences", schema="pushjobs")
