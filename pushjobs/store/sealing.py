"""Encryption at rest: what is stored of people is sealed here, and found again by a keyed hash.

A sealed value names its key and is bound to where it belongs: `1 | key id (4) | nonce (12) | AES-256-GCM ciphertext`,
with table, app and recipient as associated data, so that a value moved to another row does not open. The key ring's
first key seals, all open; a key's id is the start of its SHA-256. The lookup key is separate: it makes the blind
index by which a recipient's jobs are found, and is never rotated online (the hashes would all change).
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pushjobs.errors import Undecryptable

__all__ = ["Lookup", "Sealer"]

_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES = 4, 12
_HEAD_BYTES = 1 + _ID_BYTES + _NONCE_BYTES
_HASH_BYTES = 16


class Sealer:
    """Seals JSON values with the newest key and opens them with whichever key they name."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_key_id(key): AESGCM(key) for key in keys}
        newest = _key_id(keys[0])
        self._head = _VERSION + newest
        self._newest = self._keys[newest]

    def seal(self, value: object, bound_to: bytes) -> bytes:
        """Return `value` (anything JSON can say) encrypted; it opens only with the same `bound_to`."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._newest.encrypt(nonce, orjson.dumps(value), bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """Return the sealed value; raise Undecryptable if no key of the ring opens it here."""
        key = self._keys.get(sealed[1 : 1 + _ID_BYTES]) if sealed[:1] == _VERSION else None
        if key is None:
            raise Undecryptable("the value names a key that ENCRYPTION_KEYS does not hold")
        try:
            plain = key.decrypt(sealed[1 + _ID_BYTES : _HEAD_BYTES], sealed[_HEAD_BYTES:], bound_to)
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce
            raise Undecryptable("the value was altered, or does not belong where it stands") from None
        return orjson.loads(plain)


class Lookup:
    """The blind index: equal inputs give equal hashes, which tell nothing without the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def fingerprint(self) -> str:
        """A short name of the key, for comparing; tells nothing about it."""
        return hmac.digest(self._key, b"fingerprint", hashlib.sha256)[:8].hex()

    def recipient(self, appid: str, touser: str) -> bytes:
        """Return the 16-byte hash under which an app's user is found."""
        return hmac.digest(self._key, f"{appid}\0{touser}".encode(), hashlib.sha256)[:_HASH_BYTES]

    def form_id(self, appid: str, form_id: str) -> bytes:
        """Return the 16-byte hash under which an app's legacy form id is found."""
        return hmac.digest(self._key, f"form_id\0{appid}\0{form_id}".encode(), hashlib.sha256)[:_HASH_BYTES]

    def body(self, value: object) -> bytes:
        """Return the 16-byte fingerprint of a request body (anything JSON can say)."""
        return hmac.digest(self._key, orjson.dumps(value, option=orjson.OPT_SORT_KEYS), hashlib.sha256)[:_HASH_BYTES]


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_ID_BYTES]
