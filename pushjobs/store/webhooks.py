"""Where clients are told of their jobs' ends, as it stands in SQL: addresses, sealed secrets, and how it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["Webhook", "address", "end", "place", "read"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """How telling a client goes. `url` is None once it is told nothing more; `waiting`: outcomes not yet taken."""

    url: str | None = field(repr=False)
    waiting: int
    told: int
    told_at: datetime | None
    given_up: int
    attempts: int


# The delivery under way goes on, to the new address at once.
_PLACE = statement("""
INSERT INTO pushjobs.webhooks AS w (client_no, url, sealed)
SELECT client_no, :url, :sealed FROM pushjobs.clients WHERE id = :id AND revoked_at IS NULL
    ON CONFLICT (client_no) DO UPDATE
   SET url = excluded.url, attempts = 0, try_at = now(),
       sealed = CASE WHEN :renews OR w.sealed IS NULL THEN excluded.sealed ELSE w.sealed END
RETURNING sealed = :sealed AS is_new""")

_END = statement("""
UPDATE pushjobs.webhooks w SET url = NULL, sealed = NULL, delivery = NULL, taken = '{}'
  FROM pushjobs.clients c WHERE c.client_no = w.client_no AND c.id = :id""")

_ADDRESS = statement("""
SELECT url FROM pushjobs.webhooks JOIN pushjobs.clients USING (client_no) WHERE id = :id""")

_READ = statement("""
SELECT client_no, url, told, told_at, given_up, attempts,
       (SELECT count(*) FROM pushjobs.outcomes o WHERE o.client_no = w.client_no) AS waiting
  FROM pushjobs.webhooks w""")


def place(connection: Connection, client_id: str, *, url: str, sealed: bytes, renews: bool) -> bool | None:
    """Give a client an address; the secret it has stays its own unless `renews`.

    Return whether this secret is now its own; None where no client in force has the id.
    """
    values = {"id": client_id, "url": url, "sealed": sealed, "renews": renews}
    found: bool | None = connection.execute(_PLACE, values).scalar_one_or_none()
    return found


def address(connection: Connection, client_id: str) -> str | None:
    """Return where a client is told; None where it is not."""
    found: str | None = connection.execute(_ADDRESS, {"id": client_id}).scalar_one_or_none()
    return found


def end(connection: Connection, client_id: str) -> None:
    """Tell a client nothing more."""
    connection.execute(_END, {"id": client_id})


def read(connection: Connection) -> Mapping[int, Webhook]:
    """Return how it goes, by the clients' numbers, of those that ever had an address."""
    return {
        row.client_no: Webhook(
            url=row.url,
            waiting=row.waiting,
            told=row.told,
            told_at=row.told_at,
            given_up=row.given_up,
            attempts=row.attempts,
        )
        for row in connection.execute(_READ)
    }
