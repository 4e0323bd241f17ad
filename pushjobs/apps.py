"""The apps of this installation: the environment's, which is meant where none is named, and those that stand in SQL.

An app that stands there brings its secret (encrypted) and its settings along; what it does not say has its default,
whatever the environment says for its own. A change takes hold in every process within ten seconds, an app that is new
within one.
"""

import re
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr, ValidationError

from pushjobs import clock
from pushjobs.app_settings import AppSettings
from pushjobs.domain.events import AppUnreadable
from pushjobs.errors import InvalidInput, NotFound, NotPossible, Undecryptable
from pushjobs.settings import Settings
from pushjobs.store import apps as stored
from pushjobs.store.apps import StoredApp
from pushjobs.store.database import Database
from pushjobs.store.envelope import open_secrets, seal_secrets
from pushjobs.store.sealing import Sealer
from pushjobs.telemetry import Emit

__all__ = ["Apps", "KnownApp", "no_such_app"]

_FRESH_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 1.0
_APPID = re.compile("[A-Za-z0-9_-]{1,64}", re.ASCII)
_SECRET = re.compile("[!-~]{1,128}")
_SECRET_NAMES = ("callback_token", "callback_aes_key")
_RULES = {
    "timezone": "zones are named like Europe/Berlin, or UTC",
    "rate_per_second": "give more than 0, at most 100,000",
    "urgent_share": "give a share from 0 to 1",
    "daily_quota": "give 1 or more, or none for no limit",
    "app_daily_limit": "give 1 or more, or none for what WeChat says",
    "quiet_hours": 'write it as "22:00-08:00", or none',
    "resume_hour": "give an hour from 0 to 23",
    "callback_token": "3 to 32 letters and digits, as in WeChat's console",
    "callback_aes_key": "43 letters and digits, as in WeChat's console",
    "callback_forward_url": "give an address such as https://host/path, without a query, or none",
}

Prove = Callable[[str, str], None]
"""Asks WeChat for a token for appid and secret; raises CallRefused or Unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownApp:
    """An app that can be sent for. `is_default`: it is the environment's."""

    appid: str
    secret: str = field(repr=False)
    settings: AppSettings
    is_default: bool


class Apps:
    """The apps as a process knows them; safe to share between threads. `prove` is asked before a secret is stored."""

    def __init__(
        self, database: Database, environment: Settings, *, sealer: Callable[[], Sealer], prove: Prove, emit: Emit
    ) -> None:
        self._database = database
        self._environment = environment
        self._sealer = sealer
        self._prove = prove
        self._emit = emit
        self._lock = threading.Lock()
        self._numbers: dict[int, str] = {}
        self._known = {app.appid: app for app in self._of_environment()}
        self._read_at: float | None = None
        self._unreadable: set[str] = set()

    @property
    def known(self) -> Mapping[str, KnownApp]:
        """The apps as they were last read, by appid; asks nobody."""
        return self._known

    @property
    def unreadable(self) -> Collection[str]:
        """The appids of those whose secrets no key opened then."""
        return self._unreadable

    def default(self) -> KnownApp:
        """Return the environment's app; raises Misconfigured where there is none."""
        appid, _ = self._environment.require_credentials
        return self._known[appid]

    def get(self, appid: object) -> KnownApp:
        """Return an app; raises InvalidInput where this installation has no such app."""
        found = self._known.get(appid) if isinstance(appid, str) else None
        # Rows that name an app that is none must not ask each by themselves.
        if self._is_older_than(_FRESH_SECONDS if found else _LOOK_AGAIN_SECONDS) and not (found and found.is_default):
            self.refresh()
            found = self._known.get(appid) if isinstance(appid, str) else None
        if found is None:
            raise no_such_app()
        return found

    def numbered(self, app_no: int) -> KnownApp | None:
        """Return the app of that number of ours; None for one that this installation has no secret of."""
        if app_no not in self._numbers or self._is_older_than(_FRESH_SECONDS):
            # Somebody has made a job for an app that is new to this process.
            self.refresh()
        return self._known.get(self._numbers.get(app_no, ""))

    def all(self) -> Sequence[KnownApp]:
        """Return every app, the environment's first."""
        if self._is_older_than(_FRESH_SECONDS):
            self.refresh()
        return list(self._known.values())

    def refresh(self) -> None:
        """See now what stands in SQL; raises Unreachable."""
        with self._database.transaction() as connection:
            rows = stored.read(connection)
        found = [*self._of_environment(), *self._opened(rows)]
        with self._lock:
            # What has not changed stays the same object: whoever holds it sees that at a glance.
            before = self._known
            self._known = {app.appid: before[app.appid] if before.get(app.appid) == app else app for app in found}
            self._numbers = {row.app_no: row.appid for row in rows}
            self._read_at = clock.monotonic()

    def add(self, appid: str, secret: str, **settings: object) -> KnownApp:
        """Add an app with its secret and what it has of its own, in the names of `AppSettings`.

        Raises InvalidInput, NotPossible for one that is there, and CallRefused or Unreachable where WeChat does not
        bear the secret out; nothing is stored then.
        """
        if not _APPID.fullmatch(appid):
            raise InvalidInput("appid", "is no appid", "copy it from WeChat's console: letters and digits")
        self._refuse_environments(appid)
        made = _settings({name: value for name, value in settings.items() if value is not None})
        sealed = self._proven(appid, _secret(secret), made)
        with self._database.transaction() as connection:
            if not stored.add(connection, appid, settings=_plain(made), sealed=sealed):
                raise NotPossible(f"{appid} is there already: change it with `pushjobs app update`")
        self.refresh()
        return self._known[appid]

    def update(self, appid: str, *, secret: str | None = None, **changes: object) -> KnownApp:
        """Change what an app has of its own; None takes a setting back to its default. Raises as `add` does.

        Raises NotFound for an app that was not added, NotPossible where another change came between.
        """
        self._refuse_environments(appid)
        with self._database.transaction() as connection:
            row = next((row for row in stored.read(connection) if row.appid == appid), None)
        if row is None or row.settings is None or row.sealed is None:
            raise NotFound(f"{appid} is no app of this installation: add it with `pushjobs app add`")
        secrets = open_secrets(self._sealer(), row.sealed, appid=appid)
        old = {**row.settings, **{name: secrets[name] for name in _SECRET_NAMES if name in secrets}}
        made = _settings({name: value for name, value in {**old, **changes}.items() if value is not None})
        if secret is None:
            sealed = self._sealed(appid, secrets["secret"], made)
        else:
            sealed = self._proven(appid, _secret(secret), made)
        with self._database.transaction() as connection:
            if not stored.update(connection, row, settings=_plain(made), sealed=sealed):
                raise NotPossible(f"{appid} was changed by somebody else meanwhile: look at it, and try again")
        self.refresh()
        return self._known[appid]

    def _is_older_than(self, seconds: float) -> bool:
        return self._read_at is None or clock.monotonic() > self._read_at + seconds

    def _of_environment(self) -> list[KnownApp]:
        found = self._environment
        if found.wechat_appid is None or found.wechat_secret is None:
            return []
        secret = found.wechat_secret.get_secret_value()
        return [KnownApp(appid=found.wechat_appid, secret=secret, settings=found, is_default=True)]

    def _opened(self, rows: Sequence[StoredApp]) -> list[KnownApp]:
        opened, unreadable = [], set()
        for row in rows:
            if row.settings is None or row.sealed is None or row.appid == self._environment.wechat_appid:
                continue
            try:
                secrets = open_secrets(self._sealer(), row.sealed, appid=row.appid)
                own = _settings({**row.settings, **{name: secrets.get(name) for name in _SECRET_NAMES}})
            except (Undecryptable, InvalidInput) as fault:
                # Its jobs wait: they are not claimed for an app that cannot be sent for.
                unreadable.add(row.appid)
                if row.appid not in self._unreadable:
                    self._emit(AppUnreadable(appid=row.appid, fault=str(fault)))
            else:
                opened.append(KnownApp(appid=row.appid, secret=secrets["secret"], settings=own, is_default=False))
        self._unreadable = unreadable
        return opened

    def _refuse_environments(self, appid: str) -> None:
        if appid == self._environment.wechat_appid:
            raise NotPossible(f"{appid} is the environment's app: its settings are PUSHJOBS_… variables")

    def _proven(self, appid: str, secret: str, made: AppSettings) -> bytes:
        self._prove(appid, secret)
        return self._sealed(appid, secret, made)

    def _sealed(self, appid: str, secret: str, made: AppSettings) -> bytes:
        own = {name: getattr(made, name) for name in _SECRET_NAMES}
        given = {name: value.get_secret_value() for name, value in own.items() if isinstance(value, SecretStr)}
        return seal_secrets(self._sealer(), {"secret": secret, **given}, appid=appid)


def no_such_app() -> InvalidInput:
    """Return the refusal of an app that is not there, or is not the caller's: nobody can tell which."""
    return InvalidInput("appid", "is no app of this installation", "see `pushjobs app list`")


def _settings(given: Mapping[str, Any]) -> AppSettings:
    try:
        return AppSettings(**given)
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        # Without a place it is about several of them: only what needs a callback token is.
        name = str(fault["loc"][0]) if fault["loc"] else "callback_token"
        said = fault["msg"].removeprefix("Value error, ") if fault["loc"] else "is missing"
        raise InvalidInput(name, said, _RULES[name]) from None


def _plain(made: AppSettings) -> dict[str, Any]:
    """Return what is not secret and differs from the default."""
    return made.model_dump(mode="json", exclude_defaults=True, exclude=set(_SECRET_NAMES))


def _secret(value: object) -> str:
    if not isinstance(value, str) or not _SECRET.fullmatch(value):
        raise InvalidInput("secret", "is no AppSecret", "copy it from WeChat's console: letters and digits")
    return value
