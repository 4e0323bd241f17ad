"""What each app has of its own: its zone, its limits, its callbacks.

The environment says them for its app (`settings`); those of the others stand in SQL (`apps`), and what is not said
there has the default that stands here, whatever the environment says for its own.
"""

import re
from typing import Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from pushjobs.domain.moment import QuietHours, read_quiet_hours
from pushjobs.errors import InvalidMoment, Misconfigured

__all__ = ["AppSettings"]

_TOKEN = re.compile("[A-Za-z0-9]{3,32}")
_AES_KEY = re.compile("[A-Za-z0-9]{43}")


class AppSettings(BaseModel):
    """One app's settings, validated. Secrets are masked in every representation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    timezone: str = Field(default="Asia/Shanghai", description="The app's zone: how `time` is read, when days end.")
    rate_per_second: float = Field(default=50.0, gt=0, le=100_000, description="Calls a second, over all workers.")
    urgent_share: float = Field(default=0.2, ge=0, le=1, description="Share of the rate urgent jobs may take first.")
    daily_quota: int | None = Field(default=None, ge=1, description="Messages a user may get a day; unset: no limit.")
    app_daily_limit: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Calls the app may make a day; unset: what WeChat says."
    )
    quiet_hours: str | None = Field(default=None, description='When bulk jobs wait, such as "22:00-08:00".')
    resume_hour: int = Field(default=9, ge=0, le=23, description="When jobs over quota go on the next day.")
    callback_token: SecretStr | None = Field(
        default=None, description="The Token of WeChat's message push: 3 to 32 letters and digits; unset: no callbacks."
    )
    callback_aes_key: SecretStr | None = Field(
        default=None, description="Its EncodingAESKey, 43 letters and digits; unset: callbacks come in plain."
    )
    callback_forward_url: str | None = Field(
        default=None, description="The app's own door, which gets every callback, signed as by WeChat; unset: none."
    )

    @field_validator("callback_token")
    @classmethod
    def _is_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
            raise ValueError("is no Token of WeChat's: 3 to 32 letters and digits")
        return value

    @field_validator("callback_aes_key")
    @classmethod
    def _is_aes_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _AES_KEY.fullmatch(value.get_secret_value()):
            raise ValueError("is no EncodingAESKey of WeChat's: 43 letters and digits")
        return value

    @field_validator("callback_forward_url")
    @classmethod
    def _is_door(cls, value: str | None) -> str | None:
        if value is not None:
            address = urlsplit(value)
            if address.scheme not in {"http", "https"} or not address.hostname or address.query or address.fragment:
                raise ValueError("is no address such as https://host/path, without a query: the signature comes there")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (LookupError, OSError, ValueError) as error:
            raise ValueError("is no zone of the tz database, such as Asia/Shanghai") from error
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _is_span(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                read_quiet_hours(value, "quiet_hours")
            except InvalidMoment as error:
                raise ValueError(f"{error.fault}: {error.rule}") from None
        return value

    @model_validator(mode="after")
    def _can_prove_callbacks(self) -> Self:
        for name in ("callback_aes_key", "callback_forward_url"):
            if getattr(self, name) is not None and self.callback_token is None:
                raise ValueError(f"PUSHJOBS_CALLBACK_TOKEN is missing: {name.upper()} needs it")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The app's zone."""
        return ZoneInfo(self.timezone)

    @property
    def quiet(self) -> QuietHours | None:
        """The app's quiet hours, if it has any."""
        return None if self.quiet_hours is None else read_quiet_hours(self.quiet_hours, "quiet_hours")

    @property
    def require_callback_token(self) -> str:
        """The token of WeChat's message push; raises Misconfigured where it is missing."""
        if self.callback_token is None:
            raise Misconfigured(
                "the app has no callback token, PUSHJOBS_CALLBACK_TOKEN or that of `pushjobs app update`: "
                "nothing would prove that a callback is WeChat's"
            )
        return self.callback_token.get_secret_value()
