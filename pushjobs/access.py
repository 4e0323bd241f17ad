"""Access tokens of the drop-in door: what a client's id and key are exchanged for, as appid and secret are at WeChat.

A token says by itself whose it is and since when, sealed with the installation's newest key: no table, no Redis, and
every process reads what any made. It is opaque to who has it, and void with the client, whose row decides each time:
within a second of `client revoke`, and of `client rotate --at-once`. It ends after two hours, or with its key.
"""

import base64
import binascii
import secrets
import threading
from dataclasses import dataclass, field

from pushjobs import clock
from pushjobs.clients import Clients
from pushjobs.domain.client import Client
from pushjobs.errors import TokenExpired, Undecryptable, UnknownClient
from pushjobs.store.sealing import Sealer

__all__ = ["TOKEN_SECONDS", "AccessToken", "AccessTokens"]

TOKEN_SECONDS = 7200
"""How long a token is good: as long as WeChat's."""

_SPARE_SECONDS = 300
_LONGEST = 512
_BOUND_TO = b"access_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token, and for how many seconds it is good."""

    text: str = field(repr=False)
    seconds: int


class AccessTokens:
    """Makes tokens and reads them; safe to share between threads. `sealer` is the installation's key ring."""

    def __init__(self, clients: Clients, sealer: Sealer) -> None:
        self._clients = clients
        self._sealer = sealer
        self._lock = threading.Lock()
        self._stable: dict[int, tuple[str, float]] = {}

    def make(self, client: Client) -> AccessToken:
        """Make a token. Those that were made before stay good to their own end, unlike WeChat's."""
        value = [client.client_no, clock.now().timestamp(), secrets.token_hex(8)]
        sealed = self._sealer.seal(value, _BOUND_TO)
        return AccessToken(text=base64.urlsafe_b64encode(sealed).decode().rstrip("="), seconds=TOKEN_SECONDS)

    def stable(self, client: Client) -> AccessToken:
        """Return the token that this process made for the client, a new one within five minutes of its end."""
        with self._lock:
            text, ends_at = self._stable.get(client.client_no, ("", 0.0))
            left = ends_at - clock.now().timestamp()
            if left > _SPARE_SECONDS and self._is_good(text):
                return AccessToken(text=text, seconds=int(left))
            made = self.make(client)
            self._stable[client.client_no] = (made.text, clock.now().timestamp() + made.seconds)
            return made

    def read(self, text: str) -> Client:
        """Return whose token this is; raises UnknownClient, and TokenExpired where it was good once."""
        client_no, made_at = self._open(text)
        client, void_before = self._clients.find(client_no)
        if made_at < void_before.timestamp():
            raise UnknownClient("the access token is void")
        if clock.now().timestamp() >= made_at + TOKEN_SECONDS:
            raise TokenExpired("the access token is expired")
        return client

    def _is_good(self, text: str) -> bool:
        try:
            self.read(text)
        except UnknownClient:
            return False
        return True

    def _open(self, text: str) -> tuple[int, float]:
        try:
            padded = text[:_LONGEST] + "=" * (-len(text[:_LONGEST]) % 4)
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
            client_no, made_at, _ = self._sealer.open(sealed, _BOUND_TO)
        except (binascii.Error, ValueError, Undecryptable):
            raise UnknownClient("that is no access token") from None
        return client_no, made_at
