"""Which templates an app has: asked at every send, answered from memory, refreshed from SQL, rarely from WeChat.

An id the catalogue lacks triggers one reading from WeChat (at most one per app in ten minutes, over all processes) and
is then refused. An app whose catalogue was never read accepts any id: its messages are checked by their keys alone.
Once it was read, it is read anew each night.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence

from pushjobs import clock
from pushjobs.domain.content_check import NOT_ASKED, CheckRules
from pushjobs.domain.hot_value import hot_value
from pushjobs.domain.moment import last_night
from pushjobs.domain.template import Template
from pushjobs.domain.translation import Translation
from pushjobs.errors import CallRefused, Misconfigured, UnknownTemplate, Unreachable
from pushjobs.store import catalogue as stored
from pushjobs.store import words
from pushjobs.store.catalogue import App, KnownTemplate
from pushjobs.store.database import Database

__all__ = ["Catalogue", "Found", "night_share", "no_such_template"]

_FRESH_SECONDS = 60.0
_LOOKUP_KEY = "lookup_key"
_NO_WORDS: frozenset[str] = frozenset()

Fetch = Callable[[], Sequence[tuple[str, Template]]]
"""Reads title and template of all of the app's templates from WeChat."""


@hot_value
class Found:
    """A template a job may be made for; `template` is None where the catalogue was never read."""

    template_no: int
    template: Template | None


class Catalogue:
    """The templates of one app; one a process. Raises Misconfigured if the lookup key is not the installation's."""

    def __init__(self, database: Database, appid: str, *, lookup_fingerprint: str, fetch: Fetch) -> None:
        self._database = database
        self._appid = appid
        self._fingerprint = lookup_fingerprint
        self._fetch = fetch
        self._known: dict[str, KnownTemplate] = {}
        self._forbidden: Mapping[int | None, frozenset[str]] = {}
        self._asks_wechat = False
        self._app: App | None = None
        self._unknown: set[str] = set()
        self._fresh_until = 0.0

    @property
    def app(self) -> App:
        """The app as the store knows it, at most a minute old."""
        if self._app is None or clock.monotonic() > self._fresh_until:
            self._unknown.clear()
            return self._reload()
        return self._app

    def find(self, template_id: str) -> Found:
        """Return the template of that id; raises UnknownTemplate where the catalogue lacks it."""
        app = self.app
        found = self._known.get(template_id)
        if found is not None and (found.template is not None or not app.is_synced):
            return Found(template_no=found.template_no, template=found.template)
        if not app.is_synced:
            return self._trust(app, template_id)
        return self._ask(app, template_id)

    def knows(self, template_id: str) -> bool:
        """Whether a message of this template can be read without asking WeChat, for its template or about its text."""
        app, known = self.app, self._known.get(template_id)
        if known is not None and known.translation is not None:
            known = self._known.get(known.translation.template_id)
        if known is None or known.template is None:
            return (known is None or not known.check.is_on) and (not app.is_synced or template_id in self._unknown)
        return not known.check.is_on

    def look_up(self, template_id: str) -> Template | None:
        """Return the template of that id as `find` does, but store nothing; None where none was ever read."""
        return self.find(template_id).template if self.app.is_synced else None

    def legacy(self, template_id: str) -> Found:
        """Return a legacy template of that id: WeChat lists them no longer, so each is taken on trust."""
        found = self._known.get(template_id)
        return (
            self._trust(self.app, template_id) if found is None else Found(template_no=found.template_no, template=None)
        )

    def translation(self, template_id: str) -> Translation | None:
        """Return how messages of a template become another's; None for one that is sent as it is."""
        self.app  # noqa: B018 - reads what is stored
        known = self._known.get(template_id)
        return None if known is None else known.translation

    def forbidden(self, template_id: str) -> frozenset[str]:
        """Return the words that a template's messages must not hold: its own and those of all the app's."""
        self.app  # noqa: B018 - reads what is stored
        if not self._forbidden:
            return _NO_WORDS
        known = self._known.get(template_id)
        own = _NO_WORDS if known is None else self._forbidden.get(known.template_no, _NO_WORDS)
        return self._forbidden.get(None, _NO_WORDS) | own

    @property
    def asks_wechat(self) -> bool:
        """Whether WeChat is asked about the messages of any template."""
        self.app  # noqa: B018 - reads what is stored
        return self._asks_wechat

    def check_rules(self, template_id: str) -> CheckRules:
        """Return whether WeChat is asked about a template's messages, and what follows."""
        self.app  # noqa: B018 - reads what is stored
        known = self._known.get(template_id)
        return NOT_ASKED if known is None else known.check

    def number(self, template_id: str) -> int:
        """Return our number of a template that is listed or was ever sent, a legacy one too; raises UnknownTemplate."""
        self.app  # noqa: B018 - reads what is stored
        known = self._known.get(template_id)
        return self.find(template_id).template_no if known is None else known.template_no

    def sync(self) -> int:
        """Read the catalogue from WeChat now; return how many templates it lists. Raises CallRefused, Unreachable."""
        app = self.app
        listed = self._fetch()
        with self._database.transaction() as connection:
            stored.begin_sync(connection, app.app_no, forced=True)
            stored.replace(connection, app.app_no, listed)
        self.reload()
        return len(listed)

    def refresh(self) -> bool:
        """Read the catalogue anew if this night's hour for it has come; return whether it was read.

        Each app has its own hour, so that not all the installations there are ask WeChat at once; over all processes
        it is read once a night, and a night without a tick is made up for. Raises CallRefused, Unreachable: then the
        next night is the next time.
        """
        app = self.app
        since = last_night(clock.now(), night_share(app.appid))
        with self._database.transaction() as connection:
            if not stored.begin_refresh(connection, app.app_no, since):
                return False
        self._replace(app, self._fetch())
        return True

    def forget(self, template_id: str) -> None:
        """Take a template that was deleted at WeChat out of the catalogue."""
        with self._database.transaction() as connection:
            stored.forget(connection, self.app.app_no, template_id)
        self.reload()

    def titles(self) -> dict[str, KnownTemplate]:
        """Return the catalogue's templates by id."""
        self._reload()
        return {key: known for key, known in self._known.items() if known.template is not None}

    def translations(self) -> dict[str, Translation]:
        """Return how the messages of legacy templates become others', by the legacy ids."""
        self._reload()
        return {key: known.translation for key, known in self._known.items() if known.translation is not None}

    def ids(self) -> dict[int, str]:
        """Return WeChat's ids of all templates that are listed or were ever sent, by our numbers."""
        self._reload()
        return {known.template_no: template_id for template_id, known in self._known.items()}

    def reload(self) -> None:
        """See at once what this process has just changed; the others see it within a minute."""
        self._unknown.clear()
        self._reload()

    def _replace(self, app: App, listed: Sequence[tuple[str, Template]]) -> None:
        with self._database.transaction() as connection:
            stored.replace(connection, app.app_no, listed)
        self.reload()

    def _reload(self) -> App:
        with self._database.transaction() as connection:
            if self._app is None:
                self._compare_key(stored.remember(connection, _LOOKUP_KEY, self._fingerprint))
            app = stored.ensure_app(connection, self._appid)
            self._known = stored.known(connection, app.app_no)
            self._forbidden = words.forbidden(connection, app.app_no)
        self._asks_wechat = any(known.check.is_on for known in self._known.values())
        self._app = app
        self._fresh_until = clock.monotonic() + _FRESH_SECONDS
        return app

    def _compare_key(self, theirs: str) -> None:
        if theirs != self._fingerprint:
            raise Misconfigured(
                f"PUSHJOBS_LOOKUP_KEY is another one ({self._fingerprint}) than the one this database was made with "
                f"({theirs}): no recipient would be found again"
            )

    def _trust(self, app: App, template_id: str) -> Found:
        with self._database.transaction() as connection:
            number = stored.ensure_template(connection, app.app_no, template_id)
        self._known[template_id] = KnownTemplate(template_no=number, title=None, template=None)
        return Found(template_no=number, template=None)

    def _ask(self, app: App, template_id: str) -> Found:
        """Look once more in SQL, then once at WeChat, for a template that is new; remember for a minute what is not."""
        if template_id not in self._unknown:
            self._reload()
            known = self._known.get(template_id)
            if (known is None or known.template is None) and self._may_sync(app):
                self._sync_quietly(app)
                known = self._known.get(template_id)
            if known is not None and known.template is not None:
                return Found(template_no=known.template_no, template=known.template)
            self._unknown.add(template_id)
        raise no_such_template()

    def _may_sync(self, app: App) -> bool:
        with self._database.transaction() as connection:
            return stored.begin_sync(connection, app.app_no, forced=False)

    def _sync_quietly(self, app: App) -> None:
        """Read from WeChat if it answers; if not, the id stays unknown, and that is what the caller hears."""
        try:
            listed = self._fetch()
        except (CallRefused, Misconfigured, Unreachable):
            return
        self._replace(app, listed)


def no_such_template() -> UnknownTemplate:
    """Return the refusal of a template that is not there, or is not the caller's: nobody can tell which."""
    return UnknownTemplate("template_id", "is not in the app's catalogue", "see `pushjobs template list`")


def night_share(appid: str) -> float:
    """Return how far into the night an app's hour lies, from 0 to 1: always the same, and another app's is another."""
    return zlib.crc32(appid.encode()) / 2**32
