"""Kinds of templates, translations of legacy ones, and clearances of WeChat's counters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

_TEMPLATE_KIND = postgresql.ENUM("one_time", "long_term", name="template_kind", schema="pushjobs", create_type=False)
_FIELDS_BEFORE = "Its keys in order, each with its allowed values; null: not in the catalogue"
_FIELDS = "Its keys in order, with name and allowed values; null: not in the catalogue"


def upgrade() -> None:
    """Create what template management keeps."""
    _TEMPLATE_KIND.create(op.get_bind())
    op.add_column(
        "templates",
        sa.Column(
            "kind",
            _TEMPLATE_KIND,
            nullable=True,
            comment="For how many messages one consent to it is; null: not known",
        ),
        schema="pushjobs",
    )
    op.alter_column("templates", "fields", comment=_FIELDS, existing_comment=_FIELDS_BEFORE, schema="pushjobs")
    op.create_table(
        "translations",
        sa.Column("template_no", sa.Integer(), autoincrement=False, nullable=False, comment="The legacy template"),
        sa.Column("target_no", sa.Integer(), nullable=False, comment="The subscribe template"),
        sa.Column(
            "keywords",
            postgresql.JSONB(),
            nullable=False,
            comment="Pairs of legacy key and the key it becomes; null: left out",
        ),
        sa.Column("shortens", sa.Boolean(), nullable=False, comment="Whether a text too long for its key is shortened"),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was last set",
        ),
        sa.CheckConstraint("template_no <> target_no", name=op.f("ck_translations_is_another_template")),
        sa.ForeignKeyConstraint(
            ["target_no"], ["pushjobs.templates.template_no"], name=op.f("fk_translations_target_no")
        ),
        sa.ForeignKeyConstraint(
            ["template_no"], ["pushjobs.templates.template_no"], name=op.f("fk_translations_template_no")
        ),
        sa.PrimaryKeyConstraint("template_no", name=op.f("pk_translations")),
        schema="pushjobs",
        comment="Legacy templates mapped to subscribe templates, so that old callers keep working",
    )
    op.create_table(
        "clearances",
        sa.Column("app_no", sa.SmallInteger(), autoincrement=False, nullable=False, comment="The app"),
        sa.Column(
            "month", sa.Date(), autoincrement=False, nullable=False, comment="The month's first day, in Shanghai"
        ),
        sa.Column(
            "used",
            sa.SmallInteger(),
            nullable=False,
            comment="Clearances of the app's daily counters in that month",
        ),
        sa.CheckConstraint("used BETWEEN 0 AND 10", name=op.f("ck_clearances_used_is_up_to_ten")),
        sa.PrimaryKeyConstraint("app_no", "month", name=op.f("pk_clearances")),
        schema="pushjobs",
        comment="WeChat clears an app's daily counters ten times a month; what we know of them",
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("clearances", schema="pushjobs")
    op.drop_table("translations", schema="pushjobs")
    op.alter_column("templates", "fields", comment=_FIELDS_BEFORE, existing_comment=_FIELDS, schema="pushjobs")
    op.drop_column("templates", "kind", schema="pushjobs")
    _TEMPLATE_KIND.drop(op.get_bind())
