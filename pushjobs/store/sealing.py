"""Encryption at rest: what is stored of people is sealed here, and found again by a keyed hash.

A sealed value names its key and is bound to where it belongs: `1 | key id (4) | nonce (12) | AES-256-GCM ciphertext`,
with table, app and recipient as associated data, so that a value moved to another row does not open. The key ring's
first key seals, all open; a key's id is the start of its SHA-256. The lookup key is separate: it makes the blind
index by which a recipient's jobs are found, and is never rotated online (the hashes would all change).

A ring may be renewed while the process runs: it is asked for anew when a value names a key that it lacks, and every
two seconds before something is sealed. So a key may seal as soon as every process could find it.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pushjobs import clock
from pushjobs.errors import Undecryptable

__all__ = ["RENEWAL_SECONDS", "Lookup", "Sealer", "key_id"]

RENEWAL_SECONDS = 2.0
"""For how long at most a process seals with a key that is not the first any more."""

_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES = 4, 12
_HEAD_BYTES = 1 + _ID_BYTES + _NONCE_BYTES
_HASH_BYTES = 16
_BLOCK_BYTES = 64


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys by the ids that values name them by, and the beginning of what is sealed now."""

    keys: Mapping[bytes, AESGCM]
    ids: tuple[bytes, ...]

    @classmethod
    def of(cls, keys: Sequence[bytes]) -> Self:
        return cls({key_id(key): AESGCM(key) for key in keys}, tuple(key_id(key) for key in keys))


class Sealer:
    """Seals JSON values with the newest key and opens them with whichever key they name; safe to share between threads.

    `renewed` is asked for the ring where it may have changed, newest first; None: it has not.
    """

    def __init__(self, keys: Sequence[bytes], *, renewed: Callable[[], Sequence[bytes] | None] = lambda: None) -> None:
        self._ring = _Ring.of(keys)
        self._renewed = renewed
        self._looked_at = clock.monotonic()

    @property
    def key_ids(self) -> tuple[bytes, ...]:
        """The ids of the ring's keys, newest first."""
        return self._ring.ids

    def seal(self, value: object, bound_to: bytes) -> bytes:
        """Return `value` (anything JSON can say) encrypted; it opens only with the same `bound_to`."""
        if clock.monotonic() - self._looked_at > RENEWAL_SECONDS:
            self._renew()
        return _encrypted(self._ring, orjson.dumps(value), bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """Return the sealed value; raise Undecryptable if no key of the ring opens it here."""
        return orjson.loads(self._plain(sealed, bound_to))

    def reseal(self, sealed: bytes, bound_to: bytes) -> bytes:
        """Return the same value encrypted with the newest key; raise Undecryptable like `open`."""
        return _encrypted(self._ring, self._plain(sealed, bound_to), bound_to)

    def _plain(self, sealed: bytes, bound_to: bytes) -> bytes:
        key = None
        if sealed[:1] == _VERSION:
            name = sealed[1 : 1 + _ID_BYTES]
            key = self._ring.keys.get(name) or self._renew().keys.get(name)
        if key is None:
            raise Undecryptable("the value names a key that ENCRYPTION_KEYS does not hold")
        try:
            return key.decrypt(sealed[1 + _ID_BYTES : _HEAD_BYTES], sealed[_HEAD_BYTES:], bound_to)
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce
            raise Undecryptable("the value was altered, or does not belong where it stands") from None

    def _renew(self) -> _Ring:
        self._looked_at = clock.monotonic()
        if keys := self._renewed():
            self._ring = _Ring.of(keys)
        return self._ring


class Lookup:
    """The blind index: equal inputs give equal hashes, which tell nothing without the key."""

    def __init__(self, key: bytes) -> None:
        # HMAC's two halves with the key taken in already: the hash of a user, of which there are a million at once,
        # takes 1.5 µs so, and 3.5 µs by `hmac.digest`.
        block = (key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()).ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    @property
    def fingerprint(self) -> str:
        """A short name of the key, for comparing; tells nothing about it."""
        return self._hash(b"fingerprint")[:8].hex()

    def recipient(self, appid: str, touser: str) -> bytes:
        """Return the 16-byte hash under which an app's user is found."""
        return self._hash(f"{appid}\0{touser}".encode())[:_HASH_BYTES]

    def form_id(self, appid: str, form_id: str) -> bytes:
        """Return the 16-byte hash under which an app's legacy form id is found."""
        return self._hash(f"form_id\0{appid}\0{form_id}".encode())[:_HASH_BYTES]

    def body(self, value: object) -> bytes:
        """Return the 16-byte fingerprint of a request body (anything JSON can say)."""
        return self._hash(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))[:_HASH_BYTES]

    def _hash(self, value: bytes) -> bytes:
        """Return HMAC-SHA-256 (RFC 2104)."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


def key_id(key: bytes) -> bytes:
    """Return the four bytes by which sealed values name a key."""
    return hashlib.sha256(key).digest()[:_ID_BYTES]


def _encrypted(ring: _Ring, plain: bytes, bound_to: bytes) -> bytes:
    newest, nonce = ring.ids[0], os.urandom(_NONCE_BYTES)
    return _VERSION + newest + nonce + ring.keys[newest].encrypt(nonce, plain, bound_to)
