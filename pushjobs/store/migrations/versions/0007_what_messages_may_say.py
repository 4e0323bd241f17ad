"""What messages may say: forbidden words, and when WeChat is asked about a text."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_CONTENT_CHECK = postgresql.ENUM(
    "off", "profile", "comment", "forum", "social", name="content_check", schema="pushjobs", create_type=False
)
_CHECK_POLICY = postgresql.ENUM("refuse", "accept", name="check_policy", schema="pushjobs", create_type=False)
_POLICIES = (
    ("content_check", _CONTENT_CHECK, "off", "As what WeChat judges it"),
    ("on_review", _CHECK_POLICY, "refuse", "What is for a person to see"),
    ("on_unchecked", _CHECK_POLICY, "refuse", "What WeChat has not judged"),
)


def upgrade() -> None:
    """Create the list of forbidden words, and add the policies of the content check to the templates."""
    for words in (_CONTENT_CHECK, _CHECK_POLICY):
        words.create(op.get_bind())
    for name, kind, default, comment in _POLICIES:
        column = sa.Column(name, kind, server_default=default, nullable=False, comment=comment)
        op.add_column("templates", column, schema="pushjobs")
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
    for name, _, _, _ in _POLICIES:
        op.drop_column("templates", name, schema="pushjobs")
    for words in (_CHECK_POLICY, _CONTENT_CHECK):
        words.drop(op.get_bind())
