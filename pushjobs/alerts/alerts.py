"""Alerts, as processes keep watch and as people read them."""

from collections.abc import Sequence

from pushjobs.alerts.looking import Looking
from pushjobs.alerts.outage import Outage
from pushjobs.alerts.telling import AlertTelling, Answered
from pushjobs.domain.alert import Alert
from pushjobs.errors import Unreachable
from pushjobs.store import alerts
from pushjobs.store.alerts import Address as Told
from pushjobs.store.database import Database
from pushjobs.telemetry import sightings

__all__ = ["Alerts", "Answered", "Told"]

_MOST = 200


class Alerts:
    """What is wrong, and who is told; one a process."""

    def __init__(self, database: Database, looking: Looking, telling: AlertTelling, outage: Outage) -> None:
        self._database = database
        self._looking = looking
        self._telling = telling
        self._outage = outage

    def watch(self) -> None:
        """Write what was seen here, look at everything, tell what is new; to be done every few seconds."""
        try:
            self._looking.note(sightings.take())
            self._looking.look()
        except Unreachable:
            self._outage.notice()
            raise
        self._outage.is_over()
        self._telling.tell()

    def listed(self, *, ended_within: float = 0.0) -> Sequence[Alert]:
        """Return the open alerts, the youngest first, then those that ended within so many seconds; 200 at most."""
        with self._database.transaction() as connection:
            return alerts.listed(connection, ended_within=ended_within, limit=_MOST)

    def addresses(self) -> Sequence[Told]:
        """Return how telling goes, of each address that is set and was ever told or tried."""
        with self._database.transaction() as connection:
            return alerts.addresses(connection, [each.fingerprint for each in self._telling.addresses])

    def try_out(self) -> Sequence[Answered]:
        """Post a test message to each address; return what came of it."""
        return self._telling.try_out()
