"""The tables, in the schema `pushjobs`. Alembic's migrations must equal them (a test compares).

Times are `timestamptz`. States and lanes are PostgreSQL enums, so that a person in psql reads words. Every constraint
has a name, every column a comment. Open ids and contents exist only inside the `sealed` columns.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.content_check import CheckPolicy, ContentCheck
from pushjobs.domain.job import DoubtPolicy, JobState, Lane, OnQuota
from pushjobs.domain.template import TemplateKind
from pushjobs.store.alert_tables import alert_addresses, alert_notices, alerts
from pushjobs.store.app_tables import apps, installation
from pushjobs.store.audience_tables import audience_members, audiences
from pushjobs.store.callback_tables import events, pushes, receipts
from pushjobs.store.campaign_tables import campaigns, runs, snapshots
from pushjobs.store.client_tables import clients
from pushjobs.store.console_tables import audit, sessions
from pushjobs.store.heartbeat_table import heartbeat
from pushjobs.store.schema import SCHEMA, metadata
from pushjobs.store.schema import moment as _moment
from pushjobs.store.schema import words as _words
from pushjobs.store.summary_tables import census, census_taken, minutes, settlements, totals
from pushjobs.store.user_tables import consents, erasures, recipients, template_days
from pushjobs.store.webhook_tables import outcomes, webhooks

__all__ = [
    "SCHEMA",
    "alert_addresses",
    "alert_notices",
    "alerts",
    "app_days",
    "apps",
    "audience_members",
    "audiences",
    "audit",
    "campaigns",
    "census",
    "census_taken",
    "clearances",
    "clients",
    "consents",
    "contents",
    "erasures",
    "events",
    "forbidden_words",
    "form_ids",
    "heartbeat",
    "idempotency_keys",
    "installation",
    "job_history",
    "jobs",
    "metadata",
    "minutes",
    "outcomes",
    "paces",
    "pauses",
    "pushes",
    "receipts",
    "recipients",
    "runs",
    "sessions",
    "settlements",
    "snapshots",
    "template_days",
    "templates",
    "totals",
    "translations",
    "webhooks",
]

_job_state = _words(JobState, "job_state")
_lane = _words(Lane, "lane")
_on_quota = _words(OnQuota, "on_quota")
_consent_policy = _words(ConsentPolicy, "consent_policy")
_doubt_policy = _words(DoubtPolicy, "doubt_policy")
_template_kind = _words(TemplateKind, "template_kind")
_content_check = _words(ContentCheck, "content_check")
_check_policy = _words(CheckPolicy, "check_policy")

templates = Table(
    "templates",
    metadata,
    Column("template_no", Integer, Identity(), primary_key=True, comment="Our number for the template"),
    Column("app_no", SmallInteger, ForeignKey(apps.c.app_no), nullable=False, comment="Whose it is"),
    Column("template_id", Text, nullable=False, comment="WeChat's priTmplId, or a legacy template's id"),
    Column("title", Text, comment="Its title in WeChat's catalogue"),
    Column("kind", _template_kind, comment="For how many messages one consent to it is; null: not known"),
    Column("fields", JSONB, comment="Its keys in order, with name and allowed values; null: not in the catalogue"),
    Column("synced_at", _moment, comment="When WeChat last listed it; null: never"),
    Column("consent", _consent_policy, nullable=False, server_default="optimistic", comment="Who may be sent it"),
    Column("in_doubt", _doubt_policy, nullable=False, server_default="hold", comment="What an unknown outcome means"),
    Column("daily_cap", Integer, comment="How many of it a user may get a day; null: no cap of its own"),
    Column("faults_in_a_row", Integer, nullable=False, server_default=text("0"), comment="For its breaker"),
    Column("content_check", _content_check, nullable=False, server_default="off", comment="As what WeChat judges it"),
    Column("on_review", _check_policy, nullable=False, server_default="refuse", comment="What is for a person to see"),
    Column(
        "on_unchecked", _check_policy, nullable=False, server_default="refuse", comment="What WeChat has not judged"
    ),
    UniqueConstraint("app_no", "template_id"),
    CheckConstraint("daily_cap > 0", name="daily_cap_is_positive"),
    comment="Every template a job was ever made for, and the synced catalogue",
)

translations = Table(
    "translations",
    metadata,
    Column(
        "template_no", Integer, ForeignKey(templates.c.template_no), primary_key=True, comment="The legacy template"
    ),
    Column("target_no", Integer, ForeignKey(templates.c.template_no), nullable=False, comment="The subscribe template"),
    Column("keywords", JSONB, nullable=False, comment="Pairs of legacy key and the key it becomes; null: left out"),
    Column("shortens", Boolean, nullable=False, comment="Whether a text too long for its key is shortened"),
    Column("made_at", _moment, nullable=False, server_default=func.now(), comment="When it was last set"),
    CheckConstraint("template_no <> target_no", name="is_another_template"),
    comment="Legacy templates mapped to subscribe templates, so that old callers keep working",
)

forbidden_words = Table(
    "forbidden_words",
    metadata,
    Column("word_no", Integer, Identity(), primary_key=True, comment="Our number for the entry"),
    Column(
        "app_no", SmallInteger, ForeignKey(apps.c.app_no), nullable=False, comment="Whose messages must not hold it"
    ),
    Column(
        "template_no",
        Integer,
        ForeignKey(templates.c.template_no),
        comment="Only this template's; null: all of the app's",
    ),
    Column("word", Text, nullable=False, comment="The word, folded as texts are for the comparison"),
    UniqueConstraint("app_no", "template_no", "word", postgresql_nulls_not_distinct=True),
    comment="Words that messages must not hold, looked for at the door",
)

contents = Table(
    "contents",
    metadata,
    Column("content_no", BigInteger, Identity(), primary_key=True, comment="Our number for the content"),
    Column("app_no", SmallInteger, ForeignKey(apps.c.app_no), nullable=False, comment="Whose it is"),
    Column("template_no", Integer, ForeignKey(templates.c.template_no), nullable=False, comment="Its template"),
    Column("sealed", LargeBinary, nullable=False, comment="The content, encrypted"),
    Column("created_at", _moment, nullable=False, server_default=func.now(), comment="When it was stored"),
    comment="Contents shared by many jobs, stored once",
)

# A job's row is written four times in its life: vacuum after a hundredth of the table, not after a fifth (decision 8).
_CHURNS = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 10_000,
    "autovacuum_analyze_scale_factor": 0.02,
}

# No foreign keys here: three checks a row would cost a bulk COPY a good part of its rate, and the rows they would
# point to are never deleted.
jobs = Table(
    "jobs",
    metadata,
    Column("id", BigInteger, Identity(maxvalue=2**53 - 1), primary_key=True, comment="The job's number, below 2^53"),
    Column("app_no", SmallInteger, nullable=False, comment="The app that sends it"),
    Column("template_no", Integer, nullable=False, comment="Its template"),
    Column("content_no", BigInteger, comment="Its shared content, if any"),
    Column("run_no", Integer, nullable=False, server_default=text("0"), comment="The campaign's run it is of; 0: none"),
    Column("lane", _lane, nullable=False, comment="The queue it leaves by"),
    Column("state", _job_state, nullable=False, comment="Where it stands"),
    Column("on_quota", _on_quota, nullable=False, comment="What becomes of it when the user's day is full"),
    Column("release_no", Integer, nullable=False, server_default=text("0"), comment="Raised by every release; fences"),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0"), comment="Calls that may have left us"),
    Column("planned_at", _moment, nullable=False, comment="The `time` that was asked for"),
    Column("due_at", _moment, nullable=False, comment="When it is tried next"),
    Column("expires_at", _moment, nullable=False, comment="After this it is worthless"),
    Column("lease_until", _moment, comment="Until when its worker may hold it; null unless released or sending"),
    Column("recipient", LargeBinary, nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
    Column("sealed", LargeBinary, comment="Open id, form id and own content, encrypted; null: its user is forgotten"),
    Column("reference", Text, comment="The caller's own number for it; need not be unique"),
    Column("charged_day", Date, comment="The quota day its call was charged to; null: no charge"),
    Column("credit_held", Boolean, nullable=False, server_default=text("false"), comment="Whether it holds a credit"),
    Column("reason", Text, comment="Why it is in its state; null on the happy path"),
    Column("errcode", Integer, comment="WeChat's last answer, if it was a refusal"),
    Column("msgid", BigInteger, comment="WeChat's number of the message"),
    Column("created_at", _moment, nullable=False, server_default=func.now(), comment="When it was accepted"),
    Column("called_at", _moment, comment="When its last call left"),
    Column("closed_at", _moment, comment="When it reached its closing state"),
    Column("client_no", Integer, comment="The client that asked for it over HTTP; null: nobody did"),
    CheckConstraint("octet_length(recipient) = 16", name="recipient_is_16_bytes"),
    CheckConstraint("expires_at > planned_at", name="expires_after_planned"),
    CheckConstraint(
        "(lease_until IS NOT NULL) = (state IN ('released', 'sending'))", name="lease_only_while_released_or_sending"
    ),
    CheckConstraint(
        "(closed_at IS NULL) = (state IN ('scheduled', 'released', 'sending'))", name="closed_at_only_when_closed"
    ),
    comment="One push to one user at one time",
    postgresql_with=_CHURNS,
)

Index(
    "ix_jobs_due",
    jobs.c.app_no,
    jobs.c.lane,
    jobs.c.template_no,
    jobs.c.run_no,
    jobs.c.due_at,
    jobs.c.id,
    postgresql_where=text("state = 'scheduled'"),
    # Template and run come before the moment, so that what is held is not visited and costs nothing.
    info={"serves": "Claims, and the count of what is scheduled"},
)
Index(
    "ix_jobs_leased",
    jobs.c.app_no,
    jobs.c.lane,
    jobs.c.lease_until,
    postgresql_where=text("state IN ('released', 'sending')"),
    info={"serves": "Rescue (leases that are over), and back-pressure (how many are out)"},
)
Index("ix_jobs_recipient", jobs.c.recipient, jobs.c.id, info={"serves": "The jobs of one user"})
Index(
    "ix_jobs_reference",
    jobs.c.reference,
    jobs.c.id,
    postgresql_where=text("reference IS NOT NULL"),
    info={"serves": "The jobs of one reference"},
)
Index(
    "ix_jobs_msgid",
    jobs.c.msgid,
    postgresql_where=text("msgid IS NOT NULL"),
    info={"serves": "Receipts; it costs a settled job 1 µs (decision 7)"},
)
Index(
    "ix_jobs_troubled",
    jobs.c.state,
    jobs.c.id,
    postgresql_where=text("state IN ('refused', 'expired', 'dead', 'in_doubt')"),
    info={"serves": "Jobs by a state that is rare; those by any other are read by id"},
)
Index(
    "ix_jobs_closed",
    jobs.c.state,
    jobs.c.closed_at,
    postgresql_where=text("state IN ('sent', 'refused', 'expired', 'cancelled', 'dead')"),
    info={"serves": "Pruning, which goes by state and age"},
)
Index(
    "ix_jobs_doubted",
    jobs.c.closed_at,
    postgresql_where=text("state = 'in_doubt'"),
    info={"serves": "Alerts: what came in doubt lately, however much is in doubt"},
)
Index(
    "ix_jobs_content_no",
    jobs.c.content_no,
    postgresql_where=text("content_no IS NOT NULL"),
    info={"serves": "Pruning contents: whether any job still names one"},
)

job_history = Table(
    "job_history",
    metadata,
    Column("entry_no", BigInteger, Identity(), primary_key=True, comment="Order of entry"),
    Column("job_id", BigInteger, nullable=False, comment="The job; it may be pruned before its history"),
    Column("at", _moment, nullable=False, server_default=func.clock_timestamp(), comment="When it happened"),
    Column("release_no", Integer, nullable=False, comment="The release it belongs to"),
    Column("transition", Text, nullable=False, comment="What happened, in the words of the lifecycle"),
    Column("state", _job_state, nullable=False, comment="The state it led to"),
    Column("reason", Text, comment="Why"),
    Column("errcode", Integer, comment="WeChat's answer, where there was one"),
    Index("ix_job_history_job_id", "job_id", "entry_no", info={"serves": "What happened to one job, in order"}),
    comment="Everything but the happy path, whose times stand on the job",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("app_no", SmallInteger, ForeignKey(apps.c.app_no), primary_key=True, comment="The app"),
    Column("key", Text, primary_key=True, comment="The caller's key"),
    Column("fingerprint", LargeBinary, nullable=False, comment="Keyed hash of the body: another one is refused"),
    Column("job_id", BigInteger, nullable=False, comment="The job it made"),
    Column("keep_until", _moment, nullable=False, comment="The job's deadline and 30 days"),
    Index("ix_idempotency_keys_keep_until", "keep_until", info={"serves": "Pruning"}),
    comment="Keys outlive their jobs",
)

form_ids = Table(
    "form_ids",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("form_id", LargeBinary, primary_key=True, comment="Keyed hash of app and legacy form id, 16 bytes"),
    Column(
        "holders",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="Jobs that hold a message of it, as they came; one that was let go of is dropped by the next taker",
    ),
    Column(
        "is_void",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Whether WeChat called it invalid or used up",
    ),
    Column("keep_until", _moment, nullable=False, comment="When it serves for nothing and no holder waits any more"),
    Index("ix_form_ids_keep_until", "keep_until", info={"serves": "Pruning"}),
    comment="Legacy form ids: whose each message is",
)

app_days = Table(
    "app_days",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("day", Date, primary_key=True, comment="The day in Shanghai, as WeChat counts"),
    Column("taken", Integer, nullable=False, comment="Calls taken from the day's allowance, in blocks"),
    Column("daily_limit", Integer, comment="What WeChat allows, as it said last; null: it never has"),
    Column(
        "elsewhere",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Calls that WeChat had counted beyond our own when it was asked",
    ),
    Column("asked_at", _moment, comment="When WeChat was last asked that day; null: not that day"),
    comment="WeChat's daily allowance for the whole app",
)

clearances = Table(
    "clearances",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("month", Date, primary_key=True, comment="The month's first day, in Shanghai"),
    Column("used", SmallInteger, nullable=False, comment="Clearances of the app's daily counters in that month"),
    CheckConstraint("used BETWEEN 0 AND 10", name="used_is_up_to_ten"),
    comment="WeChat clears an app's daily counters ten times a month; what we know of them",
)

pauses = Table(
    "pauses",
    metadata,
    Column("pause_no", Integer, Identity(), primary_key=True, comment="Our number for the pause"),
    Column("app_no", SmallInteger, nullable=False, comment="The app"),
    Column("template_no", Integer, comment="Only this template; null: any"),
    Column("lane", _lane, comment="Only this lane; null: both"),
    Column("reason", Text, nullable=False, comment="Why, in the words of the house"),
    Column("errcode", Integer, comment="The answer of WeChat that caused it, if one did"),
    Column("note", Text, comment="An operator's own words"),
    Column("since", _moment, nullable=False, server_default=func.now(), comment="When it began"),
    Column("until", _moment, comment="When it ends by itself; null: when somebody resumes"),
    Column("probe_at", _moment, comment="When one job may try again; null: none may"),
    UniqueConstraint("app_no", "template_no", "lane", "reason", postgresql_nulls_not_distinct=True),
    comment="What is held back, by breakers, by WeChat's limits or by an operator",
)

paces = Table(
    "paces",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("per_second", Float, comment="Calls a second set at run time; null: the setting"),
    Column("slowed_to", Float, comment="A share of it, after WeChat said too fast; null: all of it"),
    Column("slowed_at", _moment, comment="When it was slowed; it recovers from there"),
    comment="The pace of each app, where it is not the setting's",
)
