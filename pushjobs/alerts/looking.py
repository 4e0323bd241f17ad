"""A look at everything that may be wrong, by one process of all, every few seconds.

Every process that works or answers looks: whichever is left when beat, the broker or all workers are gone still does.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from pushjobs.alerts.judging import WINDOW_SECONDS, judge
from pushjobs.domain.alert import AlertKind, Condition, Notice, What
from pushjobs.domain.events import AlertBegan, AlertEnded
from pushjobs.store import alerts, conditions
from pushjobs.store.database import Database
from pushjobs.telemetry import Emit

__all__ = ["Looking"]

_EVERY_SECONDS = 4.0
"""A little less than each process waits between two looks."""


class Looking:
    """Looks, and writes what begins and what is over; one a process.

    `rate`: an app's pace, by its number. `unreadable`: the appids of apps whose secrets this process cannot open.
    """

    def __init__(
        self,
        database: Database,
        *,
        rate: Callable[[int], float | None],
        unreadable: Callable[[], Collection[str]],
        emit: Emit,
    ) -> None:
        self._database = database
        self._rate = rate
        self._unreadable = unreadable
        self._emit = emit

    def note(self, seen: Iterable[Condition]) -> None:
        """Write what this process has seen by itself."""
        detail = "no key opens its secrets: its jobs wait"
        of_apps = (Condition(kind=AlertKind.KEY_MISSING, appid=each, detail=detail) for each in self._unreadable())
        if found := [*seen, *of_apps]:
            with self._database.transaction() as connection:
                alerts.see(connection, found)

    def look(self) -> Sequence[Notice]:
        """Look, unless somebody did within some seconds; return what there is to tell."""
        with self._database.transaction() as connection:
            claim = alerts.begin_look(connection, every=_EVERY_SECONDS)
        if claim is None:
            return []
        # Died here: the next look is claimed in some seconds, and nothing was written.
        with self._database.transaction() as connection:
            facts = conditions.read(connection, window=WINDOW_SECONDS)
        found = list(judge(facts, self._rate))
        with self._database.transaction() as connection:
            # Whoever stood still until another looked has seen what is no longer so.
            if not alerts.holds_look(connection, claim):
                return []
            alerts.see(connection, found)
            notices = alerts.judge(connection)
        for each in notices:
            self._tell_log(each)
        return notices

    def _tell_log(self, notice: Notice) -> None:
        alert = notice.alert
        if notice.what is What.ENDED:
            self._emit(AlertEnded(kind=alert.kind, appid=alert.appid, subject=alert.subject))
        elif notice.what is What.BEGAN:
            self._emit(AlertBegan(kind=alert.kind, appid=alert.appid, subject=alert.subject, detail=alert.detail))
