"""What happened to alerts, as frozen records: a part of `events`, which has them all."""

from dataclasses import dataclass

from pushjobs.domain.alert import AlertKind

__all__ = ["AlertBegan", "AlertEnded", "AlertsNotTold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertBegan:
    """Something is wrong, of an app or of the whole installation, and has been for a while."""

    kind: AlertKind
    appid: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEnded:
    """It is over, and has been for a while."""

    kind: AlertKind
    appid: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsNotTold:
    """An address did not take what there is to tell of alerts; it is told again later."""

    host: str
    alerts: int
    attempts: int
    fault: str
