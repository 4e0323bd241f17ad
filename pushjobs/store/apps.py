"""The apps that stand in SQL with secrets of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from pushjobs.store.database import as_json, statement

__all__ = ["StoredApp", "add", "read", "update"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredApp:
    """An app as it stands there. `settings` and `sealed` are None for one that the environment speaks for, or nobody.

    `sealed` are its secrets (`envelope.seal_secrets`).
    """

    app_no: int
    appid: str
    settings: Mapping[str, Any] | None
    sealed: bytes | None = field(repr=False)


_READ = statement("SELECT app_no, appid, settings, sealed FROM pushjobs.apps ORDER BY app_no")

# An app that was the environment's before has a row, and keeps its number, its templates and its jobs.
_ADD = statement("""
INSERT INTO pushjobs.apps (appid, settings, sealed) VALUES (:appid, CAST(:settings AS jsonb), :sealed)
    ON CONFLICT (appid) DO UPDATE SET settings = excluded.settings, sealed = excluded.sealed
 WHERE apps.settings IS NULL
RETURNING app_no""")

# Compared with what was read: of two operators at once, the second hears of the first.
_UPDATE = statement("""
UPDATE pushjobs.apps SET settings = CAST(:settings AS jsonb), sealed = :sealed
 WHERE app_no = :app_no AND settings = CAST(:old_settings AS jsonb) AND sealed = :old_sealed
RETURNING app_no""")


def read(connection: Connection) -> list[StoredApp]:
    """Return every app there ever was, in the order of their numbers."""
    return [
        StoredApp(app_no=row.app_no, appid=row.appid, settings=row.settings, sealed=row.sealed)
        for row in connection.execute(_READ)
    ]


def add(connection: Connection, appid: str, *, settings: Mapping[str, Any], sealed: bytes) -> bool:
    """Add an app; False where it stands there already."""
    values = {"appid": appid, "settings": as_json(settings), "sealed": sealed}
    return connection.execute(_ADD, values).first() is not None


def update(connection: Connection, old: StoredApp, *, settings: Mapping[str, Any], sealed: bytes) -> bool:
    """Replace what an app has of its own; False where that is no longer what was read."""
    values = {
        "app_no": old.app_no,
        "settings": as_json(settings),
        "sealed": sealed,
        "old_settings": as_json(old.settings),
        "old_sealed": old.sealed,
    }
    return connection.execute(_UPDATE, values).first() is not None
