"""The webhooks of clients: an address each, and the secret that signs what it is told there.

A secret is made here and told once; what is stored of it is sealed, for it must sign again. Whoever has the secret can
prove that a POST is ours.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pushjobs.campaigns.fetching import address_fault
from pushjobs.errors import InvalidInput, NotFound
from pushjobs.posting import SECRET_PREFIX
from pushjobs.store import clients, webhooks
from pushjobs.store.database import Database
from pushjobs.store.envelope import bound_webhook
from pushjobs.store.sealing import Sealer
from pushjobs.store.webhooks import Webhook

__all__ = ["PlacedWebhook", "Webhook", "Webhooks"]

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWebhook:
    """A client's webhook. `secret` is shown once and None where the client goes on with the one it has."""

    client_id: str
    url: str = field(repr=False)
    secret: str | None = field(repr=False)


class Webhooks:
    """Where clients are told of their jobs' ends. `allow_private`: also within our network, and without TLS."""

    def __init__(self, database: Database, sealer: Callable[[], Sealer], *, allow_private: bool) -> None:
        self._database = database
        self._sealer = sealer
        self._allow_private = allow_private

    def check(self, url: str) -> None:
        """Raise InvalidInput for what cannot be a webhook's address; whether anybody is there is not asked."""
        if (fault := address_fault(url)) is not None:
            raise InvalidInput("webhook", fault[0], fault[1].replace("news.example/feed.xml", "shop.example/outcomes"))
        if urlsplit(url).scheme != "https" and not self._allow_private:
            raise InvalidInput("webhook", "is without TLS", "give an https address, or set PUSHJOBS_PRIVATE_WEBHOOKS")

    def place(self, named: str, url: str, *, renews_secret: bool = False) -> PlacedWebhook:
        """Tell a client, by its id or its name, of its jobs' ends at this address from now on.

        Jobs that close from now on are told, and what waited for an address before this one. Raises InvalidInput,
        NotFound.
        """
        self.check(url)
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        with self._database.transaction() as connection:
            client_id = clients.find_id(connection, named)
            is_new = None
            if client_id is not None:
                sealed = self._sealer().seal(secret, bound_webhook(client_id))
                is_new = webhooks.place(connection, client_id, url=url, sealed=sealed, renews=renews_secret)
        if client_id is None or is_new is None:
            raise _unknown()
        return PlacedWebhook(client_id=client_id, url=url, secret=secret if is_new else None)

    def renew_secret(self, named: str) -> PlacedWebhook:
        """Sign with another secret from now on; raises NotFound where the client has no webhook."""
        with self._database.transaction() as connection:
            client_id = clients.find_id(connection, named)
            url = None if client_id is None else webhooks.address(connection, client_id)
        if url is None:
            raise NotFound("no client in force with a webhook has that id or name: see `pushjobs client list`")
        return self.place(named, url, renews_secret=True)

    def end(self, named: str) -> str:
        """Tell a client nothing more, and drop what waits to be told; return its id. Raises NotFound."""
        with self._database.transaction() as connection:
            client_id = clients.find_id(connection, named)
            if client_id is not None:
                webhooks.end(connection, client_id)
        if client_id is None:
            raise _unknown()
        return client_id

    def all(self) -> Mapping[int, Webhook]:
        """Return how telling goes, by the clients' numbers, of those that ever had an address."""
        with self._database.transaction() as connection:
            return webhooks.read(connection)


def _unknown() -> NotFound:
    return NotFound("no client in force has that id or name: see `pushjobs client list`")
