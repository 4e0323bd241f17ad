"""What the database says of itself, for whoever looks whether all is well."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from pushjobs.store.database import statement

__all__ = ["ServerFacts", "heartbeat_age", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """Its version as 180006, whether a commit is on disk when it says so, who is connected, and its clock."""

    version: int
    fsync: bool
    synchronous_commit: str
    is_in_recovery: bool
    connections: int
    max_connections: int
    now: datetime


_SERVER = statement("""
SELECT current_setting('server_version_num')::int AS version,
       current_setting('fsync')::boolean AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit,
       pg_is_in_recovery() AS is_in_recovery,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::int AS max_connections,
       clock_timestamp() AS now""")

_AGE = statement("SELECT extract(epoch FROM clock_timestamp() - at)::float FROM pushjobs.heartbeat")


def server(connection: Connection) -> ServerFacts:
    """Ask the server about itself."""
    return ServerFacts(**connection.execute(_SERVER).one()._asdict())


def heartbeat_age(connection: Connection) -> float | None:
    """Return how many seconds ago the last tick beat; None where there is no heartbeat."""
    age: float | None = connection.execute(_AGE).scalar_one_or_none()
    return age
