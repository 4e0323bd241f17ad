"""The tables of the installation and of the apps it sends for."""

from sqlalchemy import CheckConstraint, Column, Identity, LargeBinary, SmallInteger, Table, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB

from pushjobs.store.schema import metadata
from pushjobs.store.schema import moment as _moment

__all__ = ["apps", "installation"]

installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True, comment="What is remembered"),
    Column("value", Text, nullable=False, comment="Its value"),
    comment="Facts about this installation that every process must agree on, such as the lookup key's fingerprint",
)

apps = Table(
    "apps",
    metadata,
    Column("app_no", SmallInteger, Identity(), primary_key=True, comment="Our number for the app"),
    Column("appid", Text, nullable=False, comment="WeChat's appid"),
    Column("templates_synced_at", _moment, comment="When its catalogue was last read from WeChat; null: never"),
    Column("created_at", _moment, nullable=False, server_default=func.now(), comment="When we first heard of it"),
    Column("settings", JSONB, comment="What it has of its own, by name; null: the environment's app, or nobody's"),
    Column("sealed", LargeBinary, comment="Encrypted: its secret, and its callbacks' token and AES key"),
    UniqueConstraint("appid"),
    CheckConstraint("(settings IS NULL) = (sealed IS NULL)", name="settings_with_secrets"),
    comment="Mini Programs we send for",
)
