"""Sessions at the console as they stand in SQL: hashes of what opens them, never a token."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["Seen", "add", "end", "see"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Whose session it is, and for how many seconds it was not used."""

    client_no: int
    idle_seconds: float


_ADD = statement("""
INSERT INTO pushjobs.sessions (token_hash, client_no, key_hash) VALUES (:token_hash, :client_no, :key_hash)""")

# It ends with its client and with its key, by the clock that gave the key its end.
_SEE = statement("""
SELECT s.client_no, extract(epoch FROM now() - s.used_at)::float AS idle_seconds
  FROM pushjobs.sessions s JOIN pushjobs.clients c USING (client_no)
 WHERE s.token_hash = :token_hash AND s.made_at > now() - CAST(:life AS interval)
   AND s.used_at > now() - CAST(:idle AS interval) AND c.revoked_at IS NULL
   AND s.key_hash IN (c.key_hash, CASE WHEN c.old_key_until > now() THEN c.old_key_hash END)""")

_USED = statement("UPDATE pushjobs.sessions SET used_at = now() WHERE token_hash = :token_hash")
_END = statement("DELETE FROM pushjobs.sessions WHERE token_hash = :token_hash")


def add(connection: Connection, token_hash: bytes, *, client_no: int, key_hash: bytes) -> None:
    """Begin a session."""
    connection.execute(_ADD, {"token_hash": token_hash, "client_no": client_no, "key_hash": key_hash})


def see(
    connection: Connection, token_hash: bytes, *, life: timedelta, idle: timedelta, note_after: float
) -> Seen | None:
    """Return whose session it is; None for one that is over. Its use is noted `note_after` seconds after the last."""
    values = {"token_hash": token_hash, "life": life, "idle": idle}
    row = connection.execute(_SEE, values).one_or_none()
    if row is None:
        return None
    if row.idle_seconds >= note_after:
        connection.execute(_USED, {"token_hash": token_hash})
    return Seen(client_no=row.client_no, idle_seconds=row.idle_seconds)


def end(connection: Connection, token_hash: bytes) -> None:
    """End a session, at once and for every process."""
    connection.execute(_END, {"token_hash": token_hash})
