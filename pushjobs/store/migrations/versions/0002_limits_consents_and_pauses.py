"""Limits, consents and pauses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_CONSENT_POLICY = postgresql.ENUM("require", "optimistic", name="consent_policy", schema="pushjobs", create_type=False)
_DOUBT_POLICY = postgresql.ENUM("hold", "resend", name="doubt_policy", schema="pushjobs", create_type=False)
_LANE = postgresql.ENUM("urgent", "bulk", name="lane", schema="pushjobs", create_type=False)


def upgrade() -> None:
    """Create what the gates stand on."""
    for words in (_CONSENT_POLICY, _DOUBT_POLICY):
        words.create(op.get_bind())
    op.create_table(
        "app_days",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("day", sa.Date(), nullable=False, comment="The day in Shanghai, as WeChat counts"),
        sa.Column("taken", sa.Integer(), nullable=False, comment="Calls taken from the day's allowance, in blocks"),
        sa.PrimaryKeyConstraint("app_no", "day", name=op.f("pk_app_days")),
        schema="pushjobs",
        comment="WeChat's daily allowance for the whole app",
    )
    op.create_table(
        "consents",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="The template"),
        sa.Column(
            "credits",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Messages the user said yes to",
        ),
        sa.Column(
            "held", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Credits held by calls under way"
        ),
        sa.Column(
            "is_standing", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="A long-term consent"
        ),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True, comment="When the latest credit was given"),
        sa.CheckConstraint("credits >= 0 AND held >= 0", name=op.f("ck_consents_counts_are_not_negative")),
        sa.PrimaryKeyConstraint("app_no", "recipient", "template_no", name=op.f("pk_consents")),
        schema="pushjobs",
        postgresql_with={"fillfactor": 70},
        comment="What we know of users' consent; WeChat's 43101 is the truth and corrects it",
    )
    op.create_table(
        "paces",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("per_second", sa.Float(), nullable=True, comment="Calls a second set at run time; null: the setting"),
        sa.Column(
            "slowed_to", sa.Float(), nullable=True, comment="A share of it, after WeChat said too fast; null: all of it"
        ),
        sa.Column(
            "slowed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was slowed; it recovers from there"
        ),
        sa.PrimaryKeyConstraint("app_no", name=op.f("pk_paces")),
        schema="pushjobs",
        comment="The pace of each app, where it is not the setting's",
    )
    op.create_table(
        "pauses",
        sa.Column(
            "pause_no", sa.Integer(), sa.Identity(always=False), nullable=False, comment="Our number for the pause"
        ),
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("template_no", sa.Integer(), nullable=True, comment="Only this template; null: any"),
        sa.Column("lane", _LANE, nullable=True, comment="Only this lane; null: both"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in the words of the house"),
        sa.Column("errcode", sa.Integer(), nullable=True, comment="The answer of WeChat that caused it, if one did"),
        sa.Column("note", sa.Text(), nullable=True, comment="An operator's own words"),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it began",
        ),
        sa.Column(
            "until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it ends by itself; null: when somebody resumes",
        ),
        sa.Column(
            "probe_at", sa.DateTime(timezone=True), nullable=True, comment="When one job may try again; null: none may"
        ),
        sa.PrimaryKeyConstraint("pause_no", name=op.f("pk_pauses")),
        sa.UniqueConstraint(
            "app_no",
            "template_no",
            "lane",
            "reason",
            name=op.f("uq_pauses_app_no_template_no_lane_reason"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="pushjobs",
        comment="What is held back, by breakers, by WeChat's limits or by an operator",
    )
    op.create_table(
        "recipients",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("quota_day", sa.Date(), nullable=False, comment="The day `sent` and `held` count, in the app's zone"),
        sa.Column("sent", sa.Integer(), nullable=False, comment="Places of that day that are used"),
        sa.Column("held", sa.Integer(), nullable=False, comment="Places held by calls whose answer is not in yet"),
        sa.Column(
            "in_flight_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until when somebody may be calling; null: nobody is",
        ),
        sa.CheckConstraint("sent >= 0 AND held >= 0", name=op.f("ck_recipients_counts_are_not_negative")),
        sa.PrimaryKeyConstraint("app_no", "recipient", name=op.f("pk_recipients")),
        schema="pushjobs",
        postgresql_with={"fillfactor": 70},
        comment="One row per user ever sent to: the daily quota, and that nobody is called twice at once",
    )
    op.create_table(
        "template_days",
        sa.Column("app_no", sa.SmallInteger(), nullable=False, comment="The app"),
        sa.Column("recipient", sa.LargeBinary(), nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
        sa.Column("template_no", sa.Integer(), nullable=False, comment="A template with a daily cap"),
        sa.Column("quota_day", sa.Date(), nullable=False, comment="The day `used` counts, in the app's zone"),
        sa.Column("used", sa.Integer(), nullable=False, comment="Places of that day that are used or held"),
        sa.CheckConstraint("used >= 0", name=op.f("ck_template_days_used_is_not_negative")),
        sa.PrimaryKeyConstraint("app_no", "recipient", "template_no", name=op.f("pk_template_days")),
        schema="pushjobs",
        postgresql_with={"fillfactor": 70},
        comment="Daily caps of single templates",
    )
    op.add_column(
        "jobs",
        sa.Column(
            "charged_day", sa.Date(), nullable=True, comment="The quota day its call was charged to; null: no charge"
        ),
        schema="pushjobs",
    )
    op.add_column(
        "jobs",
        sa.Column(
            "credit_held",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether it holds a credit",
        ),
        schema="pushjobs",
    )
    op.add_column(
        "templates",
        sa.Column(
            "consent", _CONSENT_POLICY, server_default="optimistic", nullable=False, comment="Who may be sent it"
        ),
        schema="pushjobs",
    )
    op.add_column(
        "templates",
        sa.Column(
            "in_doubt", _DOUBT_POLICY, server_default="hold", nullable=False, comment="What an unknown outcome means"
        ),
        schema="pushjobs",
    )
    op.add_column(
        "templates",
        sa.Column(
            "daily_cap",
            sa.Integer(),
            nullable=True,
            comment="How many of it a user may get a day; null: no cap of its own",
        ),
        schema="pushjobs",
    )
    op.add_column(
        "templates",
        sa.Column(
            "faults_in_a_row", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="For its breaker"
        ),
        schema="pushjobs",
    )

    op.create_check_constraint(
        op.f("ck_templates_daily_cap_is_positive"), "templates", "daily_cap > 0", schema="pushjobs"
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_column("templates", "faults_in_a_row", schema="pushjobs")
    op.drop_column("templates", "daily_cap", schema="pushjobs")
    op.drop_column("templates", "in_doubt", schema="pushjobs")
    op.drop_column("templates", "consent", schema="pushjobs")
    op.drop_column("jobs", "credit_held", schema="pushjobs")
    op.drop_column("jobs", "charged_day", schema="pushjobs")
    op.drop_table("template_days", schema="pushjobs")
    op.drop_table("recipients", schema="pushjobs")
    op.drop_table("pauses", schema="pushjobs")
    op.drop_table("paces", schema="pushjobs")
    op.drop_table("consents", schema="pushjobs")
    op.drop_table("app_days", schema="pushjobs")
    for words in (_CONSENT_POLICY, _DOUBT_POLICY):
        words.drop(op.get_bind())
