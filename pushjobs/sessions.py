"""Who is signed in at the console: sessions that begin with a client's id and key, and end with either of them.

A session is 256 random bits in a cookie; stored is their SHA-256, so that whoever reads the database is signed in
nowhere. It stands in SQL and not in memory: it ends at once and for every process when somebody signs out, when its
client is revoked and when the key it began with is rotated away; and by itself after twelve hours, or one without use.

What a form must bring along to be believed (its CSRF token) follows from the cookie, so that it needs no place.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from pushjobs.clients import Clients, hashed
from pushjobs.domain.client import Client, Right
from pushjobs.errors import NotPermitted, UnknownClient
from pushjobs.store import sessions as stored
from pushjobs.store.database import Database

__all__ = ["SESSION_LIFE", "Session", "Sessions", "new_token", "proof_of"]

SESSION_LIFE = timedelta(hours=12)
"""How long a session lasts at most."""

_IDLE = timedelta(hours=1)
_NOTE_AFTER = 60.0
"""Its use is written down once a minute at most: a page that looks every few seconds writes nothing."""

_LONGEST = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is signed in. `proof`: what each form of theirs brings along."""

    client: Client
    proof: str = field(repr=False)


class Sessions:
    """Begins sessions and finds them; safe to share between threads. Raises Unreachable where SQL does not answer."""

    def __init__(self, database: Database, clients: Clients) -> None:
        self._database = database
        self._clients = clients

    def begin(self, client: Client, key: str) -> str:
        """Sign in a client that has proven itself with this key; return its token. Raises NotPermitted."""
        if not client.may(Right.OPERATE):
            raise NotPermitted("the client has no right to operate: whoever runs this installation gives it")
        token = new_token()
        with self._database.transaction() as connection:
            stored.add(connection, _stored(token), client_no=client.client_no, key_hash=hashed(client.id, key))
        return token

    def find(self, token: str) -> Session:
        """Return whose session this is; raises UnknownClient where it is nobody's, or nobody's any more."""
        with self._database.transaction() as connection:
            seen = stored.see(connection, _stored(token), life=SESSION_LIFE, idle=_IDLE, note_after=_NOTE_AFTER)
        if seen is None:
            raise UnknownClient("nobody is signed in with that")
        client = self._client(seen.client_no)
        if not client.may(Right.OPERATE):
            raise UnknownClient("the client has no right to operate any more")
        return Session(client=client, proof=proof_of(token))

    def _client(self, client_no: int) -> Client:
        try:
            return self._clients.find(client_no)[0]
        except UnknownClient:
            # It is in force, SQL said a moment ago; this process has not seen it yet.
            self._clients.refresh()
            return self._clients.find(client_no)[0]

    def end(self, token: str) -> None:
        """Sign out; what is over already stays so."""
        with self._database.transaction() as connection:
            stored.end(connection, _stored(token))


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(32)


def proof_of(token: str) -> str:
    """Return what a form brings along to show that it was made for whoever has the token, which it does not tell."""
    return hmac.digest(token.encode(errors="replace"), b"form", "sha256").hex()


def _stored(token: str) -> bytes:
    return hashlib.sha256(token[:_LONGEST].encode(errors="replace")).digest()
