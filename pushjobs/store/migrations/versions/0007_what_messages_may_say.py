"""What messages may say: forbidden words."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the list of forbidden words."""
    op.create_table(
        "forbidden_words",
        sa.Column(
            "word_no", sa.Integer(), sa.Identity(always=False), nullable=False, comment="Our number for the entry"
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="Whose messages must not hold it"),
        sa.Column("template_no", sa.Integer(), nullable=True, comment="Only this template's; null: all of the app's"),
        sa.Column("word", sa.Text(), nullable=False, comment="The word, folded as texts are for the comparison"),
        sa.ForeignKeyConstraint(["app_no"], ["pushjobs.apps.app_no"], name=op.f("fk_forbidden_words_app_no_apps")),
        sa.ForeignKeyConstraint(
            ["template_no"], ["pushjobs.templates.template_no"], name=op.f("fk_forbidden_words_template_no_templates")
        ),
        sa.PrimaryKeyConstraint("word_no", name=op.f("pk_forbidden_words")),
        sa.UniqueConstraint(
            "app_no",
            "template_no",
            "word",
            name=op.f("uq_forbidden_words_app_no_template_no_word"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="pushjobs",
        comment="Words that messages must not hold, looked for at the door",
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_table("forbidden_words", schema="pushjobs")
