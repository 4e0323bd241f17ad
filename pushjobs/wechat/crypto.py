"""The signatures and the encryption of WeChat's callbacks, both ways (wechat-api.md 5.1, [P1], [W5]).

Pure: no clock, no state, no opinion on what a message means. What is compared is compared in constant time.

A secure push is AES-256-CBC under the app's EncodingAESKey, whose first half is the initial vector too; within it stand
16 random bytes, the message's length, the message and the appid. There is no tag: that a ciphertext is WeChat's is
proven by `msg_signature`, which covers it, and must be proven before it is decrypted.
"""

import base64
import hashlib
import hmac
import os
import struct

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher as _Aes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC

__all__ = ["AES_KEY_LENGTH", "Cipher", "is_signed", "signature"]

AES_KEY_LENGTH = 43
"""Characters of an EncodingAESKey: base64 without its last sign."""

_RANDOM_BYTES = 16
_LENGTH_BYTES = 4
_PAD_BITS = 32 * 8  # PKCS#7 over blocks twice as long as the cipher's own


def signature(*parts: str) -> str:
    """Return WeChat's signature of token, timestamp, nonce and, where there is one, the encrypted message."""
    # The order is that of bytes; Python's, by code points, is the same for UTF-8.
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def is_signed(given: str, *parts: str) -> bool:
    """Tell whether `given` is the signature of these parts, in a time that tells nothing of the right one."""
    return hmac.compare_digest(given.encode(), signature(*parts).encode())


class Cipher:
    """Encrypts and decrypts one app's messages under its EncodingAESKey, 43 letters and digits."""

    def __init__(self, aes_key: str, appid: str) -> None:
        key = base64.b64decode(aes_key + "=")
        self._aes = _Aes(AES256(key), CBC(key[:16]))
        self._appid = appid.encode()

    def encrypt(self, message: bytes, *, random: bytes | None = None) -> str:
        """Return the message encrypted, in base64; `random` (16 bytes) is for comparing with known results."""
        plain = (random or os.urandom(_RANDOM_BYTES)) + struct.pack("!I", len(message)) + message + self._appid
        padder, encryptor = padding.PKCS7(_PAD_BITS).padder(), self._aes.encryptor()
        padded = padder.update(plain) + padder.finalize()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def decrypt(self, encrypted: str) -> bytes:
        """Return the message; raise ValueError, which says what is wrong, for anything not encrypted for this app."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except ValueError:
            raise ValueError("is not base64") from None
        decryptor, unpadder = self._aes.decryptor(), padding.PKCS7(_PAD_BITS).unpadder()
        try:
            padded = decryptor.update(sealed) + decryptor.finalize()
            plain = unpadder.update(padded) + unpadder.finalize()
            [length] = struct.unpack_from("!I", plain, _RANDOM_BYTES)
        except (ValueError, struct.error):
            raise ValueError("was encrypted under another key") from None
        begin = _RANDOM_BYTES + _LENGTH_BYTES
        message, appid = plain[begin : begin + length], plain[begin + length :]
        if len(message) != length or not hmac.compare_digest(appid, self._appid):
            raise ValueError("was encrypted for another app")
        return message
