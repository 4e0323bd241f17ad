"""What clients are told of their jobs' ends: where each is told, and what it has not taken yet."""

from sqlalchemy import ARRAY, BigInteger, Column, ForeignKey, Identity, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import UUID

from pushjobs.domain.job import JobState
from pushjobs.store.client_tables import clients
from pushjobs.store.schema import metadata, moment, words

__all__ = ["outcomes", "webhooks"]

webhooks = Table(
    "webhooks",
    metadata,
    Column("client_no", Integer, ForeignKey(clients.c.client_no), primary_key=True, comment="Whose it is"),
    Column("url", Text, comment="Where it is told; null: it is told nothing any more"),
    Column("sealed", LargeBinary, comment="The signing secret, encrypted; null with the address"),
    Column("delivery", UUID(as_uuid=True), comment="The id of the POST under way, the same at each of its attempts"),
    Column(
        "taken",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="The outcomes in it; one that was given up is there no more",
    ),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="How often it was tried"),
    Column("try_at", moment, nullable=False, server_default=text("now()"), comment="When the next POST may leave"),
    Column("told_at", moment, comment="When one was last taken"),
    Column("told", BigInteger, nullable=False, server_default=text("0"), comment="Outcomes that were taken, in all"),
    Column("given_up", BigInteger, nullable=False, server_default=text("0"), comment="Outcomes nobody took in a day"),
    comment="Where clients are told of their jobs' ends; a row stays when its address goes",
)

# No foreign key to `webhooks`: a job that is settled must not wait for whoever is telling its client.
outcomes = Table(
    "outcomes",
    metadata,
    Column("outcome_no", BigInteger, Identity(), primary_key=True, comment="Order of entry, not of commit"),
    Column("client_no", Integer, nullable=False, comment="Who is told"),
    Column("job_id", BigInteger, nullable=False, comment="The job that closed"),
    Column("state", words(JobState, "job_state"), nullable=False, comment="The state it closed in"),
    Column("reason", Text, comment="Why; null on the happy path"),
    Column("errcode", Integer, comment="WeChat's answer, if it was a refusal"),
    Column("closed_at", moment, nullable=False, comment="When it closed"),
    Index(
        "ix_outcomes_client_no",
        "client_no",
        "closed_at",
        "outcome_no",
        info={"serves": "Telling a client, in the order of ends"},
    ),
    comment="Ends of jobs that their clients have not been told of yet",
)
