"""Audiences that were uploaded: taken in piece by piece, sealed, and read by runs under their names.

An upload becomes the audience at its end, all at once: whoever begins to read before that reads the old one to its end.
One that is cut off leaves the old one in force. No transaction is open while a piece is waited for: whoever uploads may
take his time. Rows that are no recipients are told of, and hinder no other.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

from pushjobs.campaigns.recipients import Reading, Recipient, Row, Unfit
from pushjobs.domain.events import AudienceUploaded
from pushjobs.errors import AudienceUnread, InvalidInput, NotFound, NotPossible, PushJobsError, Undecryptable
from pushjobs.request import Terms
from pushjobs.store import audiences, envelope
from pushjobs.store import campaigns as campaign_rows
from pushjobs.store.audiences import StoredAudience
from pushjobs.store.database import Database
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.store.snapshots import Member
from pushjobs.telemetry import Emit

__all__ = ["StoredAudiences", "Uploaded"]

_PIECE = 5_000
"""Rows a transaction: some 50 ms."""

_PAGE = 5_000
_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """An audience as it is in force now, and why the first hundred of its rejected rows were no recipients."""

    audience: StoredAudience
    faults: Sequence[Unfit]


class StoredAudiences:
    """The uploaded audiences of one app; safe to share between threads. Names are read by whoever asks."""

    def __init__(self, database: Database, terms: Terms, *, sealer: Sealer, lookup: Lookup, emit: Emit) -> None:
        self._database = database
        self._terms = terms
        self._sealer = sealer
        self._lookup = lookup
        self._emit = emit

    def put(self, name: str, reading: Reading) -> Uploaded:
        """Store an audience, in the place of what has its name; raises InvalidInput where it has no recipient.

        Raises what reading it raises; what was in force is so still.
        """
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            audience_no = audiences.begin(connection, app_no, name)
        try:
            return self._take_in(name, audience_no, app_no, reading.rows)
        except BaseException:
            # Who dies here, or finds no database, leaves it to the pruning of what nothing came of.
            with suppress(PushJobsError), self._database.transaction() as connection:
                audiences.give_up(connection, audience_no)
            raise

    def list(self) -> Sequence[StoredAudience]:
        """Return the audiences, by their names."""
        with self._database.transaction() as connection:
            return audiences.listed(connection, self._terms.catalogue.app.app_no)

    def get(self, name: str) -> StoredAudience:
        """Return an audience; raises NotFound."""
        with self._database.transaction() as connection:
            found = audiences.find(connection, self._terms.catalogue.app.app_no, name)
        if found is None:
            raise NotFound("there is no audience of that name")
        return found

    def delete(self, name: str) -> None:
        """Delete an audience; raises NotFound, and NotPossible while a campaign goes to it."""
        app_no = self._terms.catalogue.app.app_no
        with self._database.transaction() as connection:
            in_force = [each for each in campaign_rows.listed(connection) if each.app_no == app_no]
        for each in in_force:
            record = envelope.open_campaign(self._sealer, each.sealed, appid=each.appid, key=each.key)
            if record["audience"].get("stored") == name:
                raise NotPossible("a campaign goes to the audience: delete that one first, or give it another")
        with self._database.transaction() as connection:
            if not audiences.retire(connection, app_no, name):
                raise NotFound("there is no audience of that name")

    @contextmanager
    def open(self, name: str) -> Iterator[Reading]:
        """Open an audience as it is in force now; raises AudienceUnread, then or while it is read."""
        with self._database.transaction() as connection:
            found = audiences.find(connection, self._terms.catalogue.app.app_no, name)
        if found is None:
            raise AudienceUnread(name, "was never uploaded, or is deleted", "upload it")
        yield Reading(None, self._rows(found))

    def _take_in(self, name: str, audience_no: int, app_no: int, rows: Iterator[Row]) -> Uploaded:
        rejected, faults = 0, list[Unfit]()
        while piece := list(islice(rows, _PIECE)):
            fit = [row for row in piece if isinstance(row, Recipient)]
            rejected += len(piece) - len(fit)
            faults += islice((row for row in piece if isinstance(row, Unfit)), _MOST_FAULTS - len(faults))
            members = [self._sealed(row) for row in fit]
            with self._database.transaction() as connection:
                if not audiences.add(connection, audience_no, app_no, members):
                    raise _given_up()
        with self._database.transaction() as connection:
            made = audiences.finish(connection, audience_no, app_no, rejected=rejected)
            if made is not None and not made.recipients:
                raise _without_recipient(faults)
        if made is None:
            raise _given_up()
        self._emit(AudienceUploaded(app_no=app_no, name=name, recipients=made.recipients, rejected=rejected))
        return Uploaded(audience=made, faults=faults)

    def _sealed(self, row: Recipient) -> Member:
        appid = self._terms.appid
        hashed = self._lookup.recipient(appid, row.touser)
        return hashed, envelope.seal_member(self._sealer, row.touser, row.columns, appid=appid, recipient=hashed)

    def _rows(self, audience: StoredAudience) -> Iterator[Row]:
        after, number = 0, 0
        while True:
            with self._database.transaction() as connection:
                page = audiences.page(connection, audience.audience_no, after=after, limit=_PAGE)
            if page is None:
                raise AudienceUnread(audience.name, "was replaced long before it was read", "wait: it is read anew")
            if not page:
                return
            after = page[-1].member_no
            for each in page:
                number += 1
                try:
                    touser, columns = envelope.open_member(
                        self._sealer, each.sealed, appid=self._terms.appid, recipient=each.recipient
                    )
                except Undecryptable:
                    rule = "put the key back, or upload it anew"
                    raise AudienceUnread(audience.name, "is sealed with a key that is not there", rule) from None
                yield Recipient(number, touser, columns)


def _given_up() -> NotPossible:
    return NotPossible("nothing came of the upload for an hour, and it was given up: upload it again")


def _without_recipient(faults: Sequence[Unfit]) -> InvalidInput:
    if not faults:
        return InvalidInput("body", "has no row", "give at least one recipient")
    first = faults[0]
    fault = f"has nobody to be sent to (row {first.number}: {first.refusal.field} {first.refusal.fault})"
    return InvalidInput("body", fault, first.refusal.rule)
