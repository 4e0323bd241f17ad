"""Every setting, and the only reader of the environment.

Each is an environment variable with the prefix `PUSHJOBS_`, or a file of `PUSHJOBS_SECRETS_DIR` that is called like
it. Two sources fill what is unset: the file of addresses and the file of keys that the embedded servers write under
`PUSHJOBS_DIRECTORY`. Nothing here connects to anything; whoever asks for an address that is neither set nor running
gets `NotRunning`, with what to do.
"""

import base64
import binascii
import json
import os
import re
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pushjobs.app_settings import AppSettings
from pushjobs.errors import Misconfigured, NotRunning

__all__ = ["LEASE_SECONDS", "LogFormat", "LogLevel", "Settings", "environment", "forget_environment", "given", "load"]

LEASE_SECONDS = 15.0
"""How long a worker may hold a job. With the rescue tick it bounds how soon a death is decided (20 s)."""

_LONGEST_CALL = 12.0
"""A longer call would not fit the lease with a second to spare (fine print 12.1)."""

_KEY_BYTES = 32
_PREFIX = "PUSHJOBS_"
_WECHAT = {"wechat_base_url", "wechat_fallback_urls", "wechat_appid", "wechat_secret"}
_REAL_WECHAT = "https://api.weixin.qq.com"
_SPARE_WECHAT = ("https://api2.weixin.qq.com",)
_NONE = "none"
_ALERT_URL = re.compile(r"(?:(?:wecom|dingtalk)\+)?(https?://\S+)", re.ASCII)
_PATH = re.compile(r"/[\w./-]{1,200}", re.ASCII)
_PASSWORD = re.compile(r"[!-~]{8,200}")
_SECRETS_DIR = "secrets_dir"


class LogFormat(StrEnum):
    """How a log line looks."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """How much a log line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(AppSettings, BaseSettings):
    """All settings of one process, validated; the app's are those of the environment's app."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    directory: Path = Field(default=Path(".pushjobs"), description="Where the embedded servers keep everything.")
    secrets_dir: Path | None = Field(
        default=None,
        description="A directory of files that hold settings, each called like its variable in small letters, such as "
        "`pushjobs_lookup_key`; what is set as a variable is not read from there.",
    )
    database_url: str | None = Field(default=None, description="PostgreSQL; unset: the embedded one.")
    database_pool_size: int = Field(
        default=5, ge=1, le=100, description="Connections a process keeps to PostgreSQL, and as many more while busy."
    )
    statement_timeout_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="A statement that takes longer is ended."
    )
    redis_url: str | None = Field(default=None, description="Redis or Valkey; unset: the embedded one.")
    broker_url: str | None = Field(default=None, description="Celery's broker; unset: the Redis.")
    wechat_base_url: str = Field(default=_REAL_WECHAT, description="Where WeChat's API is.")
    wechat_fallback_urls: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None,
        description="Comma-separated addresses to call while that one cannot be reached, or `none`; unset: WeChat's "
        "disaster recovery host (`api2`) beside its API's, and none beside any other.",
    )
    wechat_appid: str | None = Field(default=None, description="The Mini Program's appid.")
    wechat_secret: SecretStr | None = Field(default=None, description="The Mini Program's secret.")
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), description="Comma-separated base64 keys of 32 bytes: the first encrypts, all decrypt."
    )
    lookup_key: SecretStr | None = Field(
        default=None, description="Base64 key of 32 bytes for finding recipients; never rotated online."
    )
    faults_in_a_row: int = Field(default=10, ge=1, description="Template faults in a row that pause a template.")
    lookahead_seconds: float = Field(default=5.0, ge=1, le=10, description="How early due jobs leave SQL.")
    call_timeout_seconds: float = Field(default=5.0, gt=0, le=_LONGEST_CALL, description="WeChat's time to answer.")
    slice_size: int = Field(default=100, ge=1, le=1000, description="Jobs admitted and settled together.")
    retention_days: int = Field(default=30, ge=1, le=3650, description="Days a closed job is kept; one in doubt stays.")
    dead_retention_days: int = Field(default=90, ge=1, le=3650, description="The same for dead jobs, to be replayed.")
    campaigns: str = Field(default="beat_schedule", description="The module that declares campaigns in code.")
    plain_intake: bool = Field(default=False, description="Accept unencrypted `pushjobs.send` tasks.")
    alert_url: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated addresses that are told of alerts: robots of WeCom and DingTalk, or any URL.",
    )
    private_feeds: bool = Field(default=False, description="Whether feeds may be fetched from private addresses.")
    private_webhooks: bool = Field(
        default=False, description="Whether clients' webhooks may be at private addresses, and without TLS."
    )

    http_certificate: Path | None = Field(
        default=None, description="A PEM file with the HTTP doors' certificate and its chain: they then speak TLS only."
    )
    http_key: Path | None = Field(default=None, description="Its key; unset: it stands in the same file.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated addresses and networks, such as `10.0.0.0/8`, of proxies before the HTTP doors: "
        "from them alone `X-Forwarded-For` and `X-Forwarded-Proto` count.",
    )
    log_format: LogFormat | None = Field(
        default=None, description="`json` or `console`; unset: `console` where it goes to a terminal, else `json`."
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO,
        description="The least of our own lines that are written: `debug`, `info`, `warning` or `error`. Of libraries "
        "those from `warning` on are, whatever stands here: below it they tell addresses with tokens.",
    )
    trace_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Which share of the urgent jobs has a trace (the extra `tracing`); 0: no job has, of either lane.",
    )
    trace_bulk_share: float = Field(
        default=0.001, ge=0, le=1, description="The same of bulk jobs, while some of the urgent ones have."
    )
    access_log: bool = Field(default=True, description="Whether the HTTP doors write a log line for each request.")
    pass_through: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated paths of WeChat's, such as `/wxa/msg_sec_check`, that clients may call through us "
        "beside sends and templates; JSON only.",
    )
    flower_password: SecretStr | None = Field(
        default=None, description="Flower's, for its user `pushjobs`; unset: `up` makes one up, and shows it."
    )
    flower_read_only: bool = Field(default=True, description="Whether Flower shows only, and does nothing.")
    url: str | None = Field(default=None, description="For `pushjobs.client`: the address of the HTTP door.")
    client_id: str | None = Field(default=None, description="For `pushjobs.client`: the id of a client of that door.")
    client_key: SecretStr | None = Field(default=None, description="For `pushjobs.client`: that client's key.")

    @field_validator("wechat_fallback_urls", mode="before")
    @classmethod
    def _split_or_none(cls, value: object) -> object:
        return () if value == _NONE else cls._split(value)

    @field_validator("wechat_fallback_urls")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for url in value or ():
            address = urlsplit(url)
            is_bare = not (address.path.strip("/") or address.query or address.fragment or address.username)
            if address.scheme not in {"http", "https"} or not address.hostname or not is_bare:
                raise ValueError("holds what is no address such as https://api2.weixin.qq.com; write `none` for none")
        return value

    @field_validator("alert_url", "encryption_keys", "pass_through", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("alert_url")
    @classmethod
    def _are_alert_urls(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            found = _ALERT_URL.fullmatch(secret.get_secret_value())
            if found is None or not _names_host(found[1]):
                raise ValueError("holds what is no address of http or https, as a robot's page shows it")
        return value

    @field_validator("pass_through")
    @classmethod
    def _are_paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if not _PATH.fullmatch(path):
                raise ValueError("holds what is no path such as /wxa/msg_sec_check, without a query")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError:
                raise ValueError("holds what is no address and no network such as 10.0.0.0/8") from None
        return value

    @field_validator("flower_password")
    @classmethod
    def _is_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _PASSWORD.fullmatch(value.get_secret_value()):
            raise ValueError("is no password that Flower takes: 8 to 200 letters, digits and signs of ASCII")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            _key_bytes(secret)
        return value

    @field_validator("lookup_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _key_bytes(value)
        return value

    @model_validator(mode="after")
    def _has_both_credentials(self) -> Self:
        if (self.wechat_appid is None) != (self.wechat_secret is None):
            missing = "WECHAT_SECRET" if self.wechat_secret is None else "WECHAT_APPID"
            raise ValueError(f"PUSHJOBS_{missing} is missing: appid and secret come together")
        return self

    @model_validator(mode="after")
    def _has_a_certificate(self) -> Self:
        if self.http_key is not None and self.http_certificate is None:
            raise ValueError("PUSHJOBS_HTTP_CERTIFICATE is missing: a key is of no use without it")
        return self

    @property
    def fallback_urls(self) -> tuple[str, ...]:
        """The hosts to call while WeChat's cannot be reached; never a real one in place of a sandbox."""
        if self.wechat_fallback_urls is not None:
            return self.wechat_fallback_urls
        return _SPARE_WECHAT if self.wechat_base_url.rstrip("/") == _REAL_WECHAT else ()

    @property
    def require_database_url(self) -> str:
        """PostgreSQL's address; raises NotRunning where there is none."""
        return self.database_url or _not_running(self.directory, "DATABASE_URL")

    @property
    def require_redis_url(self) -> str:
        """Redis' address; raises NotRunning where there is none."""
        return self.redis_url or _not_running(self.directory, "REDIS_URL")

    @property
    def require_broker_url(self) -> str:
        """The broker's address in kombu's spelling: a unix socket is `redis+socket://`."""
        url = self.broker_url or self.require_redis_url
        return "redis+socket://" + url.removeprefix("unix://") if url.startswith("unix://") else url

    @property
    def require_credentials(self) -> tuple[str, str]:
        """Appid and secret; raises Misconfigured where they are missing."""
        if self.wechat_appid is None or self.wechat_secret is None:
            raise Misconfigured("PUSHJOBS_WECHAT_APPID and PUSHJOBS_WECHAT_SECRET are not set: no app to send for")
        return self.wechat_appid, self.wechat_secret.get_secret_value()

    @property
    def require_flower_password(self) -> str:
        """Flower's password; raises Misconfigured where it is missing: nobody is let in without one."""
        if self.flower_password is None:
            raise Misconfigured("PUSHJOBS_FLOWER_PASSWORD is not set: Flower would be open to everybody")
        return self.flower_password.get_secret_value()

    @property
    def require_encryption_keys(self) -> tuple[bytes, ...]:
        """The key ring, newest first; raises Misconfigured where it is empty."""
        if not self.encryption_keys:
            raise Misconfigured("PUSHJOBS_ENCRYPTION_KEYS is not set, and the directory holds no keys.json")
        return tuple(_key_bytes(key) for key in self.encryption_keys)

    @property
    def require_lookup_key(self) -> bytes:
        """The key of the blind index; raises Misconfigured where it is missing."""
        if self.lookup_key is None:
            raise Misconfigured("PUSHJOBS_LOOKUP_KEY is not set, and the directory holds no keys.json")
        return _key_bytes(self.lookup_key)


def load(directory: Path | None = None) -> Settings:
    """Read the environment, then what the embedded servers of the directory wrote; raise Misconfigured if it is bad.

    What the environment sets is not overwritten, so that `PUSHJOBS_DATABASE_URL` and its like always win.
    """
    settings = given(directory)
    found = {**_read(settings.directory / "addresses.json"), **_read(settings.directory / "keys.json")}
    is_set = settings.model_fields_set
    # A sandbox's address and its credentials belong together: one of ours with two of its would fit nowhere.
    kept = is_set | _WECHAT if is_set & _WECHAT else is_set
    unset = {name: value for name, value in found.items() if name not in kept}
    # Validated once more as a whole: `model_copy` would take the values as they are.
    return _validated({"directory": settings.directory, **unset}) if unset else settings


def given(directory: Path | None = None) -> Settings:
    """Read the environment alone; raise Misconfigured if it is bad.

    For whoever starts servers: an address that an `up` before it left in the directory is nobody's wish.
    """
    return _validated({} if directory is None else {"directory": directory})


def environment() -> dict[str, str]:
    """Return the environment as it is, to be handed on to processes of ours."""
    return dict(os.environ)


def forget_environment() -> None:
    """Take every setting of ours out of the environment of this process, and so of those it starts.

    For the demo: whatever is set there must not lead it to anyone's real servers.
    """
    for name in [name for name in os.environ if name.startswith(_PREFIX)]:
        del os.environ[name]


def _validated(values: dict[str, Any]) -> Settings:
    try:
        return Settings(**_secrets(), **values)
    except ValidationError as error:
        raise Misconfigured("; ".join(_fault(item) for item in error.errors(include_input=False))) from None


def _secrets() -> dict[str, Any]:
    """Read the files of the directory of secrets whose variables are not set; an empty one counts as not there."""
    variables = {name.lower(): value for name, value in os.environ.items() if value}
    given = variables.get(f"{_PREFIX}{_SECRETS_DIR}".lower())
    if given is None:
        return {}
    if not (directory := Path(given)).is_dir():
        raise Misconfigured("PUSHJOBS_SECRETS_DIR: is no directory")
    found = {}
    for name in Settings.model_fields.keys() - {_SECRETS_DIR}:
        path = directory / f"{_PREFIX}{name}".lower()
        if path.name not in variables and path.exists():
            try:
                found[name] = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Misconfigured(f"{path} cannot be read ({type(error).__name__}): mend or remove it") from None
    return {name: value for name, value in found.items() if value}


def _fault(item: ErrorDetails) -> str:
    """Say which variable is wrong, without its value: it may be a secret."""
    name = "_".join(str(part) for part in item["loc"] if isinstance(part, str)).upper()
    message = item["msg"].removeprefix("Value error, ")
    return f"PUSHJOBS_{name}: {message}" if name else message


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except (OSError, TypeError, ValueError) as error:
        raise Misconfigured(f"{path} cannot be read ({type(error).__name__}): mend or remove it") from None


def _names_host(url: str) -> bool:
    try:
        address = urlsplit(url)
        return bool(address.hostname) and address.port != 0 and not address.username
    except ValueError:
        return False


def _key_bytes(secret: SecretStr) -> bytes:
    try:
        key = base64.b64decode(secret.get_secret_value(), validate=True)
    except binascii.Error:
        raise ValueError("is not base64: make one with `openssl rand -base64 32`") from None
    if len(key) != _KEY_BYTES:
        raise ValueError(f"has {len(key)} bytes: a key has 32, make one with `openssl rand -base64 32`")
    return key


def _not_running(directory: Path, variable: str) -> str:
    where = os.fspath(directory.absolute())
    raise NotRunning(
        f"nothing runs in {where}: start it with `pushjobs up --directory {where}`, or set PUSHJOBS_{variable}"
    )
