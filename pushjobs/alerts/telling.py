"""Addresses told of alerts: what is new in one message, by one process of all, until it is taken.

What is written after the message was taken is lost by whoever dies in between: then the same is told once more.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pushjobs import clock
from pushjobs.alerts.addresses import Address
from pushjobs.alerts.messages import body_of, fault_of, trial_body
from pushjobs.domain.alert import Notice
from pushjobs.domain.backoff import alert_delay
from pushjobs.domain.events import AlertsNotTold
from pushjobs.posting import Post
from pushjobs.store import alerts
from pushjobs.store.alerts import Claim
from pushjobs.store.database import Database
from pushjobs.telemetry import Emit
from pushjobs.wechat.loop import LoopThread

__all__ = ["AlertTelling", "Answered"]

_PROMISE_SECONDS = 60.0
"""How long a claim is left alone: many times what a call can take."""

_SPACING_SECONDS = 6.0
"""Between two messages: ten a minute, half of what a robot takes, for it may have others to listen to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a test message. `fault` is None where it was taken."""

    host: str
    fault: str | None


class AlertTelling:
    """Tells every address; one a process."""

    def __init__(
        self,
        database: Database,
        loop: Callable[[], LoopThread],
        post: Callable[[], Post],
        addresses: Sequence[Address],
        *,
        zone: ZoneInfo,
        emit: Emit,
    ) -> None:
        self.addresses = addresses
        self._database = database
        self._loop = loop
        self._post = post
        self._zone = zone
        self._emit = emit
        self._known: set[bytes] = set()

    def tell(self) -> None:
        """Tell each address what it was not told yet, if it is its time."""
        for each in self.addresses:
            self._tell(each)

    def tell_unnoted(self, notice: Notice) -> bool:
        """Tell every address of what SQL knows nothing of, once; return whether any took it."""
        taken = False
        for each in self.addresses:
            fault = self._say(each, body_of(each, [notice], self._zone))
            taken = taken or fault is None
            if fault is not None:
                self._emit(AlertsNotTold(host=each.host, alerts=1, attempts=1, fault=fault))
        return taken

    def try_out(self) -> Sequence[Answered]:
        """Post a test message to each address, whatever waits; return what came of it."""
        return [Answered(host=each.host, fault=self._say(each, trial_body(each))) for each in self.addresses]

    def _tell(self, address: Address) -> None:
        with self._database.transaction() as connection:
            if address.fingerprint not in self._known:
                alerts.know(connection, address.fingerprint, address.host)
            claim = alerts.claim(connection, address.fingerprint, promise=_PROMISE_SECONDS)
            notices = [] if claim is None else alerts.untold(connection, claim)
        self._known.add(address.fingerprint)
        if claim is None:
            return
        fault = self._say(address, body_of(address, notices, self._zone)) if notices else None
        # Died here: when the promise is over, somebody tells the same once more.
        self._settle(address, claim, notices, fault)

    def _say(self, address: Address, body: bytes) -> str | None:
        async def say() -> str | None:
            return fault_of(address, await self._post().ask(address.signed_url(clock.now()), body, {}))

        return self._loop().run(say())

    def _settle(self, address: Address, claim: Claim, notices: Sequence[Notice], fault: str | None) -> None:
        through = max([each.number for each in notices], default=claim.told_through)
        delay = alert_delay(claim.attempts, draw=random.random()).total_seconds()  # noqa: S311 - jitter
        wait = _SPACING_SECONDS if fault is None else delay
        with self._database.transaction() as connection:
            alerts.settle(connection, claim, told_through=through, fault=fault, wait=wait)
        if fault is not None:
            self._emit(AlertsNotTold(host=address.host, alerts=len(notices), attempts=claim.attempts, fault=fault))
