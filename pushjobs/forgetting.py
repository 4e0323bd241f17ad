"""Users forgotten: their open ids, contents, consents and form ids are gone, and the accounting stays.

What waits is cancelled. What is being sent this moment is let end and erased by the next tick (`Upkeep.forget`), which
also goes on where this was killed. Refuses to forget by anything but an open id: a reference may be another's too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pushjobs.domain.events import JobsErased
from pushjobs.domain.message import read_touser
from pushjobs.errors import InvalidInput, Undecryptable
from pushjobs.request import Terms
from pushjobs.store import erasing
from pushjobs.store.database import Database
from pushjobs.store.envelope import open_push
from pushjobs.store.erasing import OpenPush, User
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.telemetry import Emit

__all__ = ["Forgetting", "Forgotten"]

_USERS_AT_ONCE = 100
_AT_ONCE = 1000


@dataclass(slots=True)
class Forgotten:
    """What was done, in counts: `users` forgotten, `jobs` of theirs erased, and `cancelled` among those.

    `under_way`: jobs that are being sent this moment; they end first, and are erased within seconds.
    """

    users: int = 0
    jobs: int = 0
    cancelled: int = 0
    under_way: int = 0


class Forgetting:
    """Forgets users of one app; safe to share between threads, and to be done again."""

    def __init__(self, database: Database, terms: Terms, *, lookup: Lookup, sealer: Sealer, emit: Emit) -> None:
        self._database = database
        self._terms = terms
        self._lookup = lookup
        self._sealer = sealer
        self._emit = emit

    def forget(self, tousers: Iterable[str]) -> Forgotten:
        """Forget these users, any iterable of open ids, some at a time; return what was done.

        Raises InvalidInput for what is no open id; those before it in the iterable may be forgotten by then.
        """
        done = Forgotten()
        page: list[str] = []
        for touser in tousers:
            page.append(read_touser({"touser": touser}))
            if len(page) == _USERS_AT_ONCE:
                self._forget(page, done)
                page = []
        if page:
            self._forget(page, done)
        if not done.users:
            raise InvalidInput("touser", "is missing", "give at least one open id")
        return done

    def _forget(self, tousers: Sequence[str], done: Forgotten) -> None:
        app_no = self._terms.catalogue.app.app_no
        hashes = {touser: self._lookup.recipient(self._terms.appid, touser) for touser in tousers}
        users = sorted(User(app_no, recipient) for recipient in set(hashes.values()))
        # Killed up to here, it has promised nothing and is run again; from then on only jobs are left, and a tick has
        # them too. Form ids come first of all: whose they are is known by jobs.
        with self._database.transaction() as connection:
            erasing.erase_told(connection, users)
        with self._database.transaction() as connection:
            erasing.erase_members(connection, users)
        with self._database.transaction() as connection:
            erasing.erase_planned(connection, users)
        self._erase_pushes(app_no, hashes)
        with self._database.transaction() as connection:
            erasing.ask(connection, users)
            erasing.erase_consents(connection, users)
        jobs = cancelled = 0
        while True:
            with self._database.transaction() as connection:
                erased = erasing.erase(connection, users, limit=_AT_ONCE)
            jobs, cancelled = jobs + erased.jobs, cancelled + erased.cancelled
            if erased.jobs < _AT_ONCE:
                break
        with self._database.transaction() as connection:
            done.under_way += erasing.under_way(connection, users)
        if jobs:
            self._emit(JobsErased(jobs=jobs, cancelled=cancelled))
        done.users += len(users)
        done.jobs += jobs
        done.cancelled += cancelled

    def _erase_pushes(self, app_no: int, hashes: dict[str, bytes]) -> None:
        """Delete the callbacks of these users that wait, or died, on their way to the app's own door."""
        after = 0
        while True:
            with self._database.transaction() as connection:
                page = erasing.open_pushes(connection, app_no, after=after, limit=_AT_ONCE)
                if not page:
                    return
                theirs = [push.push_no for push in page if self._is_of(push, hashes)]
                if theirs:
                    erasing.delete_pushes(connection, theirs)
            after = page[-1].push_no

    def _is_of(self, push: OpenPush, hashes: dict[str, bytes]) -> bool:
        try:
            record = open_push(self._sealer, push.sealed, appid=self._terms.appid, key=push.key)
        except Undecryptable:
            return False
        # A plain one also names its user in its body; an encrypted one only in its address.
        return record["openid"] in hashes or any(touser in record["body"] for touser in hashes)
