"""The pace as it stands this moment: the setting, or what an operator set, less what WeChat made us slow down to.

Read from SQL at most twice a second, so that a change takes hold everywhere within one.
"""

import threading

from pushjobs import clock
from pushjobs.catalogue import Catalogue
from pushjobs.pace import Limit
from pushjobs.store import paces
from pushjobs.store.database import Database

__all__ = ["LiveLimit"]

_FRESH_SECONDS = 0.5
_LOWEST_PER_SECOND = 0.1


class LiveLimit:
    """The limit of one app; one a process, for any thread. Called, it returns the limit."""

    def __init__(self, database: Database, catalogue: Catalogue, setting: Limit) -> None:
        self._database = database
        self._catalogue = catalogue
        self._setting = setting
        self._limit = setting
        self._fresh_until = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> Limit:
        """Return the limit in force, at most half a second old."""
        with self._lock:
            if clock.monotonic() > self._fresh_until:
                self._limit = self._read()
                self._fresh_until = clock.monotonic() + _FRESH_SECONDS
            return self._limit

    def _read(self) -> Limit:
        app_no = self._catalogue.app.app_no
        with self._database.transaction() as connection:
            stored = paces.read(connection, app_no)
        per_second = self._setting.per_second if stored.per_second is None else stored.per_second
        return Limit(
            per_second=max(per_second * stored.share, _LOWEST_PER_SECOND), urgent_share=self._setting.urgent_share
        )
