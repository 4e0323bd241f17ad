"""The tables of the console: who is signed in, and what was done there."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, LargeBinary, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB

from pushjobs.store.client_tables import clients
from pushjobs.store.schema import metadata
from pushjobs.store.schema import moment as _moment

__all__ = ["audit", "sessions"]

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the cookie's 256 random bits"),
    Column("client_no", Integer, ForeignKey(clients.c.client_no), nullable=False, comment="Who signed in"),
    Column("key_hash", LargeBinary, nullable=False, comment="The client's hash of the key it signed in with"),
    Column("made_at", _moment, nullable=False, server_default=func.now(), comment="When it signed in"),
    Column("used_at", _moment, nullable=False, server_default=func.now(), comment="When it was last there"),
    Index("ix_sessions_used_at", "used_at", info={"serves": "Pruning"}),
    comment="Who is signed in at the console; what stands here opens nothing",
)

audit = Table(
    "audit",
    metadata,
    Column("entry_no", BigInteger, Identity(), primary_key=True, comment="Order of entry"),
    Column("at", _moment, nullable=False, server_default=func.clock_timestamp(), comment="When it was begun"),
    Column("client_no", Integer, nullable=False, comment="Who did it"),
    Column("client", Text, nullable=False, comment="Its name then"),
    Column("door", Text, nullable=False, comment="Where it was asked for"),
    Column("action", Text, nullable=False, comment="What was done, in the words of the house"),
    Column("what", JSONB, nullable=False, comment="To what: ids, counts, filters; no open id and no content"),
    Column("ended_at", _moment, comment="When it was over; null: whoever did it died, and it may have been done"),
    Column("outcome", JSONB, comment="What came of it: counts, or the refusal's words"),
    Index("ix_audit_at", "at", info={"serves": "Pruning"}),
    Index("ix_audit_client_no", "client_no", "entry_no", info={"serves": "What one client did, the latest first"}),
    comment="What operators did at the console; each line is committed before what it tells of is begun",
)
