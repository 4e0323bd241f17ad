"""The tables of what WeChat tells by callbacks, part of `tables`: events, receipts, and pushes to be forwarded."""

from sqlalchemy import (
    BigInteger,
    Column,
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

from pushjobs.domain.receipt import EventKind, EventState, PushState, ReceiptState
from pushjobs.store.schema import metadata, moment, words

__all__ = ["events", "pushes", "receipts"]

_event_kind = words(EventKind, "event_kind")
_event_state = words(EventState, "event_state")
_push_state = words(PushState, "push_state")
_receipt_state = words(ReceiptState, "receipt_state")

receipts = Table(
    "receipts",
    metadata,
    Column("job_id", BigInteger, primary_key=True, autoincrement=False, comment="The job"),
    Column("state", _receipt_state, nullable=False, comment="What became of its message"),
    Column("errcode", Integer, comment="WeChat's ErrorCode; 0 is success, null what was no number"),
    Column("status", Text, comment="WeChat's ErrorStatus"),
    Column("at", moment, nullable=False, comment="When, in WeChat's whole seconds"),
    comment="What WeChat told of sent messages afterwards; beside the jobs, which are written at every send",
)

events = Table(
    "events",
    metadata,
    Column("event_no", BigInteger, Identity(), primary_key=True, comment="Order of arrival"),
    Column("app_no", SmallInteger, nullable=False, comment="The app"),
    Column("key", LargeBinary, nullable=False, comment="Keyed hash of what is told: a repeat has the same"),
    Column("kind", _event_kind, nullable=False, comment="What it tells"),
    Column("recipient", LargeBinary, nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
    Column("template_id", Text, nullable=False, comment="WeChat's id of the template"),
    Column("happened_at", moment, nullable=False, comment="When it happened, in WeChat's whole seconds"),
    Column("msgid", BigInteger, comment="WeChat's number of the message"),
    Column("errcode", Integer, comment="WeChat's ErrorCode; 0 is success"),
    Column("status", Text, comment="WeChat's ErrorStatus"),
    Column("state", _event_state, nullable=False, server_default="waiting", comment="Where it stands"),
    Column("tries", SmallInteger, nullable=False, server_default=text("0"), comment="How often nothing fitted it"),
    Column("try_at", moment, nullable=False, server_default=func.clock_timestamp(), comment="When it is tried next"),
    Column("received_at", moment, nullable=False, server_default=func.clock_timestamp(), comment="When it came"),
    UniqueConstraint("app_no", "key"),
    Index(
        "ix_events_open",
        "state",
        "try_at",
        "event_no",
        postgresql_where=text("state IN ('waiting', 'left')"),
        info={"serves": "Applying what is to be applied, however much was"},
    ),
    Index("ix_events_received_at", "received_at", info={"serves": "Pruning"}),
    comment="What WeChat told by its callbacks, one row a thing told, without an open id",
)

pushes = Table(
    "pushes",
    metadata,
    Column("push_no", BigInteger, Identity(), primary_key=True, comment="Order of arrival"),
    Column("app_no", SmallInteger, nullable=False, comment="The app"),
    Column("key", LargeBinary, nullable=False, comment="Keyed hash of the message: a repeat has the same"),
    Column("sealed", LargeBinary, comment="The push as it came, encrypted; null once it is forwarded"),
    Column("state", _push_state, nullable=False, server_default="waiting", comment="Where it stands"),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0"), comment="How often it was tried"),
    Column("try_at", moment, nullable=False, server_default=func.clock_timestamp(), comment="When it is tried next"),
    Column("received_at", moment, nullable=False, server_default=func.clock_timestamp(), comment="When it came"),
    UniqueConstraint("app_no", "key"),
    Index(
        "ix_pushes_open",
        "state",
        "try_at",
        "push_no",
        postgresql_where=text("state IN ('waiting', 'dead')"),
        info={"serves": "Forwarding what is to be forwarded, however much was"},
    ),
    Index("ix_pushes_received_at", "received_at", info={"serves": "Pruning"}),
    comment="Callbacks on their way to the app's own door",
)
