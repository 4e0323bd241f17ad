"""The consent ledger from outside: what users said yes to comes in here, one by one or from a file.

The ledger is a cache of what WeChat knows (`domain.consent`); WeChat's answers correct it, not these verbs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from pushjobs.domain.consent import Consent
from pushjobs.domain.message import read_template_id, read_touser
from pushjobs.errors import InvalidInput
from pushjobs.rejections import Rejected
from pushjobs.request import Terms
from pushjobs.store import consents
from pushjobs.store.consents import Key
from pushjobs.store.database import Database
from pushjobs.store.sealing import Lookup

__all__ = ["Granted", "Ledger"]

_CHUNK = 1000
_MOST_CREDITS = 1000
_NAMES = ("touser", "template_id", "credits", "standing")


@dataclass(slots=True)
class Granted:
    """What `grant_many` did: how many rows it `granted`, and the rows `rejected`, listed as in a `Report`."""

    granted: int = 0
    rejected: Rejected = field(default_factory=Rejected)


@dataclass(frozen=True, slots=True)
class _Grant:
    """A readable grant. A standing consent needs no credits."""

    key: Key
    credits: int
    is_standing: bool


class Ledger:
    """The consents of one app's users; safe to share between threads. Raises InvalidInput, and then nothing changed."""

    def __init__(self, database: Database, terms: Terms, *, lookup: Lookup) -> None:
        self._database = database
        self._terms = terms
        self._lookup = lookup

    def grant(self, touser: str, template_id: str, credits: int = 1, *, standing: bool = False) -> None:  # noqa: A002 - the house's word
        """Add credits for single messages, or with `standing` a consent to all of the template's."""
        self.grant_one({"touser": touser, "template_id": template_id, "credits": credits, "standing": standing})

    def grant_one(self, row: Mapping[str, Any]) -> None:
        """Grant from a row of `grant`'s arguments."""
        self._write([self._read(row)])

    def grant_many(self, rows: Iterable[Mapping[str, Any]]) -> Granted:
        """Grant from rows of `grant`'s arguments, streamed in chunks; a bad row is refused with its number."""
        report = Granted()
        numbered = enumerate(rows, start=1)
        while chunk := list(islice(numbered, _CHUNK)):
            readable = list(self._readable(chunk, report))
            for _, alike in groupby(sorted(readable, key=_kind), key=_kind):
                self._write(list(alike))
            report.granted += len(readable)
        return report

    def revoke(self, touser: str, template_id: str) -> None:
        """Take away every credit and the standing consent."""
        key = self._key({"touser": touser, "template_id": template_id})
        with self._database.transaction() as connection:
            consents.revoke(connection, self._terms.catalogue.app.app_no, key)

    def read(self, touser: str) -> Mapping[str, Consent]:
        """Return what is known of a user, by template id."""
        recipient = self._lookup.recipient(self._terms.appid, read_touser({"touser": touser}))
        with self._database.transaction() as connection:
            known = consents.read(connection, self._terms.catalogue.app.app_no, recipient)
        names = self._terms.catalogue.ids()
        return {names[template_no]: consent for template_no, consent in known.items()}

    def _readable(self, chunk: Iterable[tuple[int, Mapping[str, Any]]], report: Granted) -> Iterator[_Grant]:
        for number, row in chunk:
            try:
                yield self._read(row)
            except InvalidInput as refusal:
                report.rejected.add(number, refusal)

    def _read(self, row: Mapping[str, Any]) -> _Grant:
        for name in row:
            if name not in _NAMES:
                raise InvalidInput(str(name)[:40], "is no argument", f"there are {', '.join(_NAMES)}")
        credits_, is_standing = row.get("credits", 1), row.get("standing", False)
        if not isinstance(is_standing, bool):
            raise InvalidInput("standing", "is neither true nor false", "leave it out for single messages")
        if isinstance(credits_, bool) or not isinstance(credits_, int) or not 0 < credits_ <= _MOST_CREDITS:
            raise InvalidInput("credits", "are no number of messages", f"give 1 to {_MOST_CREDITS:,}")
        return _Grant(key=self._key(row), credits=0 if is_standing else credits_, is_standing=is_standing)

    def _key(self, row: Mapping[str, Any]) -> Key:
        recipient = self._lookup.recipient(self._terms.appid, read_touser(row))
        return recipient, self._terms.catalogue.number(read_template_id(row))

    def _write(self, grants: list[_Grant]) -> None:
        """Write grants of one kind, in a transaction of their own: one statement, one order of locks."""
        first = grants[0]
        with self._database.transaction() as connection:
            consents.grant(
                connection,
                self._terms.catalogue.app.app_no,
                [grant.key for grant in grants],
                credits=first.credits,
                is_standing=first.is_standing,
            )


def _kind(grant: _Grant) -> tuple[int, bool]:
    return grant.credits, grant.is_standing
