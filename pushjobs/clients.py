"""The clients of the HTTP doors: added, given another key, ended; and known by their keys, without asking SQL.

A client's id and key are made here, and the key is told once: what is stored is its SHA-256. A slow hash would protect
words that people choose; 256 random bits cannot be guessed, at whatever speed, and a door has no time for it.

The doors see the clients anew every second: a client that is revoked is nobody within that, at every process.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pushjobs import clock
from pushjobs.apps import Apps
from pushjobs.domain.client import DEFAULT_RIGHTS, Client, Right, let_in
from pushjobs.domain.message import read_template_id
from pushjobs.errors import InvalidInput, NotFound, NotPossible, UnknownClient
from pushjobs.store import clients as stored
from pushjobs.store.clients import StoredClient
from pushjobs.store.database import Database

__all__ = ["KEY_OVERLAP", "SEE_SECONDS", "Clients", "NewKey", "hashed"]

KEY_OVERLAP = timedelta(hours=24)
"""For how long a key goes on being good after another took its place."""

SEE_SECONDS = 1.0
"""How often a door sees the clients anew: what was changed takes hold within it."""

_LONGEST_NAME = 200
_LONGEST_KEY = 256
_FASTEST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A client and its new key, which is shown once and stored nowhere."""

    client: Client
    key: str = field(repr=False)


class Clients:
    """The clients as a process knows them; safe to share between threads."""

    def __init__(self, database: Database, apps: Apps) -> None:
        self._database = database
        self._apps = apps
        self._lock, self._seeing = threading.Lock(), threading.Lock()
        self._known: dict[str, StoredClient] = {}
        self._numbered: dict[int, StoredClient] = {}
        self._busy_until: dict[int, float] = {}

    def authenticate(self, client_id: str, key: str) -> Client:
        """Return the client of that id and key; raises UnknownClient, which does not tell what was wrong.

        Asks nobody: one that was added or given a key this second is known after the next `refresh`.
        """
        found = self._known.get(client_id)
        given = hashed(client_id, key[: _LONGEST_KEY + 1])
        hashes = (b"",) if found is None else found.key_hashes
        # All of them, and for an id that is none as well: how long it takes tells nothing.
        is_proven = any([hmac.compare_digest(each, given) for each in hashes])  # noqa: C419 - a generator would stop
        if found is None or not is_proven:
            raise UnknownClient("no client has that id and key: see `pushjobs client list`")
        return found.client

    def find(self, client_no: int) -> tuple[Client, datetime]:
        """Return a client in force, and the moment before which its access tokens are void; raises UnknownClient."""
        if (found := self._numbered.get(client_no)) is None:
            raise UnknownClient("the client is revoked")
        return found.client, found.tokens_from

    def refresh(self) -> None:
        """See now what stands in SQL; raises Unreachable."""
        # One at a time: of two, the one that asked first may have its answer last, and would bring back what was.
        with self._seeing:
            with self._database.transaction() as connection:
                found = stored.in_force(connection)
            self._known = {each.client.id: each for each in found}
            self._numbered = {each.client.client_no: each for each in found}

    def hold_up(self, client: Client, count: int = 1) -> float:
        """Let so many requests of a client's in: 0.0. Else return in how many seconds to ask again.

        Counted by each process of the doors for itself: with two of them a client may go at twice its rate.
        """
        if client.per_second is None:
            return 0.0
        with self._lock:
            busy_until, now = self._busy_until.get(client.client_no, 0.0), clock.monotonic()
            wait, busy_until = let_in(count, client.per_second, busy_until=busy_until, now=now)
            self._busy_until[client.client_no] = busy_until
        return wait

    def all(self) -> Sequence[Client]:
        """Return every client there ever was, those that are revoked, too."""
        with self._database.transaction() as connection:
            return stored.read(connection)

    def add(
        self,
        name: str,
        *,
        apps: Collection[str] = (),
        templates: Collection[str] = (),
        rights: Collection[str] = (),
        per_second: float | None = None,
    ) -> NewKey:
        """Add a client; without apps or templates it has all of them, without rights it may read and write.

        Raises InvalidInput, and NotPossible where another client in force has the name.
        """
        made: dict[str, Any] = {
            "id": f"pj{secrets.token_hex(8)}",
            "name": _name(name),
            "apps": [self._apps.get(appid).appid for appid in dict.fromkeys(apps)] or None,
            "templates": [read_template_id({"template_id": each}) for each in dict.fromkeys(templates)] or None,
            "rights": sorted(_rights(rights)),
            "per_second": _per_second(per_second),
        }
        key = _new_key()
        with self._database.transaction() as connection:
            client = stored.add(connection, made, key_hash=hashed(made["id"], key))
        if client is None:
            raise NotPossible(f"there is a client {name!r} already: revoke it first, or take another name")
        return NewKey(client=client, key=key)

    def rotate(self, named: str, *, at_once: bool = False) -> NewKey:
        """Give a client, by its id or its name, another key; the one it has stays good for a day.

        `at_once`: it does not, and its access tokens are void, because somebody else may know them. A key that was
        retired before is good no more. Raises NotFound.
        """
        overlap = 0.0 if at_once else KEY_OVERLAP.total_seconds()
        with self._database.transaction() as connection:
            key, client_id = _new_key(), stored.find_id(connection, named)
            key_hash = hashed(client_id or "", key)
            client = stored.rotate(connection, client_id or named, key_hash=key_hash, overlap_seconds=overlap)
        return NewKey(client=_found(client), key=key)

    def revoke(self, named: str) -> Client:
        """End a client, by its id or its name: its keys and tokens are good no more. Its jobs stay. Raises NotFound."""
        with self._database.transaction() as connection:
            return _found(stored.revoke(connection, named))


def _found(client: Client | None) -> Client:
    if client is None:
        raise NotFound("no client in force has that id or name: see `pushjobs client list`")
    return client


def _new_key() -> str:
    return secrets.token_hex(32)


def hashed(client_id: str, key: str) -> bytes:
    """Return what is stored of a key; with the id in it, equal keys of two clients would not show."""
    return hashlib.sha256(f"{client_id}.{key}".encode(errors="replace")).digest()


def _name(value: str) -> str:
    if not value.isprintable() or not 0 < len(value.strip()) <= _LONGEST_NAME:
        raise InvalidInput("name", "is no short text", f"give 1 to {_LONGEST_NAME} printable characters")
    return value.strip()


def _rights(given: Collection[str]) -> frozenset[Right]:
    try:
        return frozenset(map(Right, given)) or DEFAULT_RIGHTS
    except ValueError:
        raise InvalidInput("scope", "is not one of its values", f"use {', '.join(Right)}") from None


def _per_second(value: float | None) -> float | None:
    if value is not None and not 0 < value <= _FASTEST:
        raise InvalidInput("rate", f"is {value:g}", f"give more than 0, at most {_FASTEST:,}")
    return value
