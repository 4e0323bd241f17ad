"""The one alert that cannot stand in SQL: that SQL does not answer. Redis decides who tells it, and that one does.

Without Redis nobody tells: better that than every process by itself, as often as it is started.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from redis import Redis
from redis.exceptions import RedisError

from pushjobs import clock
from pushjobs.domain.alert import RULES, Alert, AlertKind, Notice, What

__all__ = ["Outage"]

_KEY = "pushjobs:alerts:database_silent"
_KEPT_SECONDS = 86_400
"""An outage of more than a day is told again."""

_AGAIN_SECONDS = 30
"""Until somebody tries again what nobody took."""


class Outage:
    """What this process sees of the database; one a process. `tell` says whether anybody took it."""

    def __init__(self, redis: Callable[[], Redis], tell: Callable[[Notice], bool]) -> None:
        self._redis = redis
        self._tell = tell
        self._since: float | None = None
        self._may_be_told = True  # by a process before this one

    def notice(self) -> None:
        """Note that the database did not answer just now; tell it, if it has not for a while and nobody has told it."""
        if self._since is None:
            self._since = clock.monotonic()
        lasted = clock.monotonic() - self._since
        if lasted < RULES[AlertKind.DATABASE_SILENT].hold:
            return
        self._may_be_told = True
        since = clock.now() - timedelta(seconds=lasted)
        with suppress(RedisError, OSError):
            is_ours = self._redis().set(_KEY, since.isoformat(), nx=True, ex=_KEPT_SECONDS)
            # Died here: it counts as told. The other way round each of many would tell it.
            if is_ours and not self._tell(_notice(What.BEGAN, since, None)):
                self._redis().expire(_KEY, _AGAIN_SECONDS)

    def is_over(self) -> None:
        """Note that it answers; tell it, if it was told that it did not and nobody has told this."""
        self._since = None
        if self._may_be_told:
            with suppress(RedisError, OSError):
                told = self._redis().getdel(_KEY)
                self._may_be_told = False
                if isinstance(told, bytes):
                    self._tell(_notice(What.ENDED, datetime.fromisoformat(told.decode()), clock.now()))


def _notice(what: What, since: datetime, ended_at: datetime | None) -> Notice:
    alert = Alert(
        alert_no=0,
        kind=AlertKind.DATABASE_SILENT,
        appid="",
        subject="",
        detail="PostgreSQL did not answer for half a minute",
        since=since,
        seen_at=clock.now(),
        ended_at=ended_at,
    )
    return Notice(number=0, what=what, alert=alert)
