"""WeChat's callbacks: taken at the door and answered at once, applied by a tick.

`take` proves a callback, stores what it tells, and returns the answer; it calls nobody and looks at no job, because
WeChat cuts the connection after 5 s and pushes again. A repeat is stored once and answered alike. `apply` puts what was
told where it belongs: yes and no into the consent ledger, receipts on jobs, whose doubts they settle.

Refuses to: guess. A receipt that fits two jobs, one of them in doubt, stays with the operator (fine print 12.17).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from pushjobs import clock
from pushjobs.domain.events import EventsApplied, EventsUnreadable
from pushjobs.domain.receipt import ConsentGiven, ConsentWithdrawn, EventKind, Receipt, Told
from pushjobs.domain.steps import Placed, ReceiptsPlaced
from pushjobs.errors import NotFound
from pushjobs.request import Terms
from pushjobs.store import consents, events, pushes
from pushjobs.store.database import Database, Transaction
from pushjobs.store.envelope import seal_push
from pushjobs.store.events import NewEvent
from pushjobs.store.pushes import NewPush
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.telemetry import Emit, follow
from pushjobs.wechat.events import Callback, Callbacks, Handshake, Push

__all__ = ["Door", "Receipts", "Taking"]

_TAKEN = "success"
_AT_ONCE = 1000
_LONGEST_SECONDS = 1.0
"""How long a tick goes on while there is more; the next one follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A callback that is proven and read: what to answer once it is kept, and what there is to keep of it."""

    answer: str
    events: Sequence[NewEvent] = ()
    unread: int = 0
    push: NewPush | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to keep of it, so that it may be answered at once."""
        return not self.events and not self.unread and self.push is None


class Door:
    """The callback door of one app; safe to share between threads.

    `sealer` is for what is to be forwarded to the app's own door; None: it has none.
    """

    def __init__(
        self,
        database: Database,
        terms: Terms,
        callbacks: Callbacks,
        *,
        lookup: Lookup,
        sealer: Sealer | None,
        emit: Emit,
    ) -> None:
        self._database = database
        self._terms = terms
        self._callbacks = callbacks
        self._lookup = lookup
        self._sealer = sealer
        self._emit = emit

    def take(self, appid: str, callback: Callback) -> str:
        """Take a callback for an app and return the body to answer, with HTTP 200 and as plain text.

        Raises what `read` and `keep` do. A door that gets many at once reads each by itself and keeps them together.
        """
        taking = self.read(appid, callback)
        self.keep([taking])
        return taking.answer

    def read(self, appid: str, callback: Callback) -> Taking:
        """Prove and read a callback; touches no database.

        Raises NotFound for another app, UnprovenCallback for what is not proven to be WeChat's (403), InvalidCallback
        for what cannot be read (400).
        """
        if appid != self._terms.appid:
            raise NotFound("no callbacks are taken for that app: compare the address with the appid")
        read = self._callbacks.read(callback, now=clock.now())
        match read:
            case Handshake(echo=echo):
                return Taking(answer=echo)
            case Push():
                return Taking(
                    answer=_TAKEN,
                    events=[self._event(told) for told in read.told],
                    unread=read.unread,
                    push=None if self._sealer is None else self._sealed(callback, read, self._sealer),
                )
            case _:
                assert_never(read)

    def keep(self, takings: Sequence[Taking]) -> None:
        """Store what callbacks told, in one transaction; only then may they be answered.

        Raises Unreachable when PostgreSQL does not answer, and then nothing was stored (503: WeChat pushes it again).
        """
        # One push may say a thing twice, and WeChat may push it twice at once.
        told = {event.key: event for taking in takings for event in taking.events}
        to_forward = {taking.push.key: taking.push for taking in takings if taking.push is not None}
        unread = sum(taking.unread for taking in takings)
        if not told and not to_forward and not unread:
            return
        app_no = self._terms.catalogue.app.app_no
        if unread:
            self._emit(EventsUnreadable(app_no=app_no, items=unread))
        with self._database.transaction() as connection:
            if told:
                events.store(connection, app_no, list(told.values()))
            if to_forward:
                pushes.store(connection, app_no, list(to_forward.values()))

    def _event(self, told: Told) -> NewEvent:
        """Word what is told for the store. Its key says what makes it one: who, when, of what, and what of it."""
        recipient = self._lookup.recipient(self._terms.appid, told.touser)
        msgid = errcode = status = None
        match told:
            case ConsentGiven():
                kind = EventKind.CONSENT_GIVEN
            case ConsentWithdrawn():
                kind = EventKind.CONSENT_WITHDRAWN
            case Receipt():
                kind = EventKind.RECEIPT
                msgid, errcode, status = told.msgid, told.errcode, told.status
            case _:
                assert_never(told)
        moment = int(told.at.timestamp())
        return NewEvent(
            key=self._lookup.body([kind, recipient.hex(), moment, told.template_id, msgid, errcode, status]),
            kind=kind,
            recipient=recipient,
            template_id=told.template_id,
            happened_at=told.at,
            msgid=msgid,
            errcode=errcode,
            status=status,
        )

    def _sealed(self, callback: Callback, push: Push, sealer: Sealer) -> NewPush:
        key = self._lookup.body(push.message)
        record = {"body": callback.body.decode(), "openid": callback.query.get("openid", "")}
        if push.encrypted is not None:
            record["encrypted"] = push.encrypted
        return NewPush(key=key, sealed=seal_push(sealer, record, appid=self._terms.appid, key=key))


class Receipts:
    """Applies what was taken; one a process, and only one of all processes at a time."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    def apply(self) -> int:
        """Apply what waits, a slice a transaction, for at most a second; return how many events found their place."""
        applied = 0
        until = clock.monotonic() + _LONGEST_SECONDS
        while clock.monotonic() < until:
            placed: dict[int, Placed] = {}
            since = clock.monotonic()
            with self._database.transaction() as connection:
                # Whoever holds the lock takes what we would.
                slice_ = events.waiting(connection, limit=_AT_ONCE) if events.lock(connection) else {}
                done = _apply(connection, slice_, placed) if slice_ else None
            if done is None:
                break
            self._emit(done)
            follow(partial(ReceiptsPlaced, jobs=placed.values(), since=since, at=clock.monotonic()))
            applied += done.receipts + done.consents
            if len(slice_) < _AT_ONCE:
                break
        return applied


def _apply(connection: Transaction, slice_: Mapping[int, EventKind], placed: dict[int, Placed]) -> EventsApplied:
    """Apply one slice: jobs first, then consents, as every lock is taken; `placed` gets receipts that found jobs."""
    receipts = [number for number, kind in slice_.items() if kind is EventKind.RECEIPT]
    said = [number for number, kind in slice_.items() if kind is not EventKind.RECEIPT]
    left = 0
    if receipts:
        placed |= events.settle_by_msgid(connection, receipts)
    if homeless := [number for number in receipts if number not in placed]:
        placed |= events.settle_by_user(connection, homeless)
    if said:
        consents.tell(connection, said)
    events.close(connection, [*placed, *said])
    waiting = [number for number in receipts if number not in placed]
    if waiting:
        left = events.put_off(connection, waiting)
    return EventsApplied(
        receipts=len(placed),
        confirmed=sum(receipt.is_confirmed for receipt in placed.values()),
        consents=len(said),
        waiting=len(waiting) - left,
        left=left,
    )
