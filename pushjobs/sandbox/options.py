"""How a sandbox behaves: what is fixed when it starts, and what can be changed while it runs.

The defaults are the strict ones: a stand-in that forgives more than WeChat would let our own mistakes pass. Nothing
here reads the environment.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

__all__ = [
    "DEFAULT_APPID",
    "DEFAULT_SECRET",
    "Behave",
    "CallbackFormat",
    "CallbackMode",
    "Consents",
    "SandboxOptions",
    "Settings",
    "Users",
]

DEFAULT_APPID = "wxsandbox00000000"
DEFAULT_SECRET = "sandbox-secret"  # noqa: S105 - guards nothing: every sandbox has it


class Behave(StrEnum):
    """What the legacy template call answers: as it did until January 2020, or 45103 as it does today."""

    LEGACY = "legacy"
    TODAY = "today"


class Consents(StrEnum):
    """Who may be sent to: every user always, or only where the ledger holds a credit."""

    ALWAYS = "always"
    LEDGER = "ledger"


class CallbackMode(StrEnum):
    """How callbacks are pushed: readable, encrypted, or both at once."""

    PLAIN = "plain"
    COMPATIBLE = "compatible"
    SECURE = "secure"


class CallbackFormat(StrEnum):
    """What callbacks are written in."""

    JSON = "json"
    XML = "xml"


class Users(StrEnum):
    """Whose open ids are valid: any that is not empty, or only those that were made known."""

    ANY = "any"
    STRICT = "strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be changed at run time through `POST /sandbox/settings`.

    `latency_ms` and up to `jitter_ms` more pass between reading a request and writing its answer. `lenient` ignores
    unknown fields as WeChat does. The three limits hold per app and call, and are off when None: calls in any sliding
    second (44990), in a clock minute (45011), in a day in Shanghai (45009). `msgid` and `keep_bodies` false leave the
    message's number out of answers, and bodies out of the log.

    With a `callback_url` every accepted subscribe message is followed by a sent event, whose ErrorCode is
    `callback_errcode`; the other four are what WeChat's console asks for.
    """

    latency_ms: float = 0
    jitter_ms: float = 0
    lenient: bool = False
    behave: Behave = Behave.LEGACY
    users: Users = Users.ANY
    consents: Consents = Consents.ALWAYS
    msgid: bool = True
    keep_bodies: bool = True
    per_second: int | None = None
    per_minute: int | None = None
    per_day: int | None = None
    callback_url: str | None = None
    callback_token: str = ""
    callback_aes_key: str = ""
    callback_mode: CallbackMode = CallbackMode.PLAIN
    callback_format: CallbackFormat = CallbackFormat.JSON
    callback_errcode: int = 0

    def __post_init__(self) -> None:
        for name in ("latency_ms", "jitter_ms"):
            value = getattr(self, name)
            if type(value) not in {int, float} or value < 0:
                raise ValueError(f"{name} must be a number of milliseconds from 0")
        for name in ("lenient", "msgid", "keep_bodies"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be true or false")
        for name in ("per_second", "per_minute", "per_day"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 0):
                raise ValueError(f"{name} must be a whole number from 0, or null for no limit")
        self._check_callbacks()

    def _check_callbacks(self) -> None:
        url = self.callback_url
        if url is None:
            return
        if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
            raise ValueError("callback_url must be http://host/path or https, without a query")
        if not re.fullmatch("[A-Za-z0-9]{3,32}", self.callback_token):
            raise ValueError("callback_token must be 3 to 32 letters and digits")
        if self.callback_mode is not CallbackMode.PLAIN and not re.fullmatch("[A-Za-z0-9]{43}", self.callback_aes_key):
            raise ValueError("callback_aes_key must be 43 letters and digits")
        if type(self.callback_errcode) is not int:
            raise ValueError("callback_errcode must be a whole number")

    def changed(self, changes: Mapping[str, Any]) -> "Settings":
        """Return these settings with JSON `changes` applied; ValueError names what is wrong."""
        known = {each.name for each in fields(self)}
        if unknown := sorted(set(changes) - known):
            raise ValueError(f"no setting {unknown[0]}; there are {', '.join(sorted(known))}")
        words: dict[str, type[StrEnum]] = {
            "behave": Behave,
            "users": Users,
            "consents": Consents,
            "callback_mode": CallbackMode,
            "callback_format": CallbackFormat,
        }
        read: dict[str, Any] = {name: words[name](value) if name in words else value for name, value in changes.items()}
        return replace(self, **read)

    def as_json(self) -> dict[str, Any]:
        """Return all settings as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What is fixed when a sandbox starts. Port 0 takes a free one; `apps` maps appids to their secrets."""

    host: str = "127.0.0.1"
    port: int = 0
    apps: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_APPID: DEFAULT_SECRET})
    settings: Settings = field(default_factory=Settings)
