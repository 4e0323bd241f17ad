"""The table of the clients."""

from sqlalchemy import Column, Float, Identity, Index, Integer, LargeBinary, Table, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY

from pushjobs.store.schema import metadata
from pushjobs.store.schema import moment as _moment

__all__ = ["clients"]

clients = Table(
    "clients",
    metadata,
    Column("client_no", Integer, Identity(), primary_key=True, comment="Our number for the client"),
    Column("id", Text, nullable=False, unique=True, comment="What it calls itself at a door; made by us"),
    Column("name", Text, nullable=False, comment="What people call it; free again once it is revoked"),
    Column("apps", ARRAY(Text), comment="The appids it may act for, the usual one first; null: all"),
    Column("templates", ARRAY(Text), comment="The template ids it may send; null: all"),
    Column("rights", ARRAY(Text), nullable=False, comment="Of read, write, operate"),
    Column("per_second", Float, comment="Requests a second at one process of the doors; null: no limit"),
    Column("key_hash", LargeBinary, nullable=False, comment="SHA-256 of id and key; the key is 256 random bits"),
    Column("old_key_hash", LargeBinary, comment="The same of the key before it"),
    Column("old_key_until", _moment, comment="Until when that one is good"),
    Column("tokens_from", _moment, nullable=False, server_default=func.now(), comment="Older access tokens are void"),
    Column("created_at", _moment, nullable=False, server_default=func.now(), comment="When it was added"),
    Column("rotated_at", _moment, comment="When its key was last replaced"),
    Column("revoked_at", _moment, comment="Since when it is nobody; null: it is not revoked"),
    Index(
        "ix_clients_name",
        "name",
        unique=True,
        postgresql_where=text("revoked_at IS NULL"),
        info={"serves": "One client of a name, but for those that were revoked"},
    ),
    comment="Programs that speak to us over HTTP, and what each may do",
)
