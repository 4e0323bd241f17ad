"""Alerts: what somebody should know of now, in which words, and when it is told, told again and told to be over.

A condition is what is wrong as somebody looks; an alert is a condition that has held for a while, told once at its
beginning and once at its end. Whatever flaps is damped on both sides: it must hold before it is told, and be gone for a
while before it is over. No word here is of a user or of a message.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

__all__ = ["RULES", "Alert", "AlertKind", "Condition", "Notice", "Rule", "Severity", "What"]

_HOUR = 3600.0


class AlertKind(StrEnum):
    """What is wrong. Each has a rule, and a heading in `docs/how-to/be-alerted.md`."""

    DATABASE_SILENT = "database_silent"
    BEAT_SILENT = "beat_silent"
    RESTORED = "restored"
    APP_PAUSED = "app_paused"
    WECHAT_DOWN = "wechat_down"
    DAY_OVER = "day_over"
    TEMPLATE_PAUSED = "template_paused"
    TOKEN_UNAVAILABLE = "token_unavailable"  # noqa: S105 - the word, not a secret
    KEY_MISSING = "key_missing"
    JOBS_LATE = "jobs_late"
    JOBS_IN_DOUBT = "jobs_in_doubt"
    JOBS_DEAD = "jobs_dead"
    UNLISTED_CODE = "unlisted_code"
    CALLBACKS_NOT_TAKEN = "callbacks_not_taken"
    OUTCOMES_NOT_TAKEN = "outcomes_not_taken"
    RUN_FAILED = "run_failed"
    CAMPAIGN_NOT_TAKEN = "campaign_not_taken"


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    """Messages do not leave, or soon will not."""
    WARNING = "warning"
    """Something is lost, or waits for somebody's decision, and the rest goes on."""


class What(StrEnum):
    """What is told of an alert."""

    BEGAN = "began"
    GOES_ON = "goes_on"
    ENDED = "ended"
    PASSED = "passed"
    """It began and ended before it could be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What somebody saw to be wrong. `appid`, `subject`: of what; empty: of the whole installation, of nothing else."""

    kind: AlertKind
    appid: str = ""
    subject: str = ""
    detail: str

    def as_record(self) -> dict[str, str]:
        """Return it as JSON can say it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a kind of alert is told; times in seconds.

    `hold`: for how long a condition must hold before it is told. `gone`: for how long it must be gone before that is
    told. `lasts`: for how long it holds after it was last seen, where nobody can look whether it does and processes
    tell of it again and again; 0: every look sees it. `remind`: how long after it was told it is told again; None: it
    is not.
    """

    title: str
    severity: Severity
    advice: str
    hold: float = 0.0
    gone: float = 60.0
    lasts: float = 0.0
    remind: float | None = 24 * _HOUR

    def as_record(self) -> dict[str, Any]:
        """Return its times as JSON can say them."""
        return {"hold": self.hold, "gone": self.gone, "lasts": self.lasts, "remind": self.remind}


RULES: Mapping[AlertKind, Rule] = MappingProxyType(
    {
        # Not noted in SQL (`alerts.outage`): the times are kept to there. A restart takes some seconds, a failover less
        # than half a minute.
        AlertKind.DATABASE_SILENT: Rule(
            title="The database does not answer",
            severity=Severity.CRITICAL,
            advice="bring PostgreSQL back: until then nothing is accepted and nothing sent, and nothing is lost",
            hold=30.0,
            gone=0.0,
            remind=None,
        ),
        # Seen at 10 s, when the look-ahead of 5 s is used up; a restart of beat or of the ticks' worker takes less.
        AlertKind.BEAT_SILENT: Rule(
            title="Beat is silent",
            severity=Severity.CRITICAL,
            advice="run beat and a worker for `pushjobs.ticks`: `pushjobs doctor` says which is missing",
            hold=5.0,
            gone=15.0,
            remind=4 * _HOUR,
        ),
        AlertKind.RESTORED: Rule(
            title="The database has stepped back",
            severity=Severity.CRITICAL,
            advice="see what would be sent again, then `pushjobs resume`",
            gone=0.0,
            remind=4 * _HOUR,
        ),
        AlertKind.APP_PAUSED: Rule(
            title="WeChat refuses the app",
            severity=Severity.CRITICAL,
            advice="mend what the code says, then `pushjobs resume`",
            remind=4 * _HOUR,
        ),
        # The breaker closes with the first answer and opens again with the next silences.
        AlertKind.WECHAT_DOWN: Rule(
            title="WeChat does not answer",
            severity=Severity.CRITICAL,
            advice="look at this network's way out; a probe every 10 s ends it by itself",
            gone=120.0,
            remind=4 * _HOUR,
        ),
        AlertKind.DAY_OVER: Rule(
            title="The app's calls of the day are used up",
            severity=Severity.WARNING,
            advice="it goes on at 00:00 in Shanghai; `pushjobs quota` shows what was used",
        ),
        AlertKind.TEMPLATE_PAUSED: Rule(
            title="A template is paused",
            severity=Severity.CRITICAL,
            advice="mend the message or the template, then `pushjobs resume --template-id ID`",
            gone=0.0,
            remind=4 * _HOUR,
        ),
        AlertKind.TOKEN_UNAVAILABLE: Rule(
            title="WeChat gives no access token",
            severity=Severity.CRITICAL,
            advice="`pushjobs doctor` says what it answers: the secret, the IP allow-list, the network",
            hold=30.0,
            lasts=120.0,
            gone=0.0,
            remind=4 * _HOUR,
        ),
        AlertKind.KEY_MISSING: Rule(
            title="What is stored cannot be decrypted",
            severity=Severity.CRITICAL,
            advice="give every process the key that it was sealed with, in PUSHJOBS_ENCRYPTION_KEYS or keys.json",
            lasts=900.0,
            gone=0.0,
            remind=4 * _HOUR,
        ),
        AlertKind.JOBS_LATE: Rule(
            title="Jobs are late",
            severity=Severity.CRITICAL,
            advice="`pushjobs doctor`, then the workers' log: nothing holds them, and the pace has room",
            hold=30.0,
            gone=120.0,
            remind=4 * _HOUR,
        ),
        AlertKind.JOBS_IN_DOUBT: Rule(
            title="Jobs are in doubt",
            severity=Severity.WARNING,
            advice="`pushjobs jobs --state in_doubt`, then `pushjobs resolve`",
            gone=300.0,
        ),
        AlertKind.JOBS_DEAD: Rule(
            title="Jobs are given up",
            severity=Severity.WARNING,
            advice="`pushjobs jobs --state dead` says why; `pushjobs replay` when that is mended",
            gone=300.0,
        ),
        AlertKind.UNLISTED_CODE: Rule(
            title="WeChat answers a code that no page lists",
            severity=Severity.WARNING,
            advice="look the code up: its jobs are refused, and `pushjobs jobs --state refused` lists them",
            gone=0.0,
            remind=None,
        ),
        AlertKind.CALLBACKS_NOT_TAKEN: Rule(
            title="The app's own door takes no callbacks",
            severity=Severity.WARNING,
            advice="look at the door; what waits is tried again, `pushjobs callback forward` revives what is dead",
        ),
        AlertKind.OUTCOMES_NOT_TAKEN: Rule(
            title="A client's webhook takes nothing",
            severity=Severity.WARNING,
            advice="tell its owner: outcomes are tried again for a day, then given up",
        ),
        AlertKind.RUN_FAILED: Rule(
            title="A campaign's run came to nothing",
            severity=Severity.WARNING,
            advice="`pushjobs campaign show KEY` says why; the next run tries anew",
            gone=0.0,
            remind=None,
        ),
        # Tried again every minute while it cannot be taken.
        AlertKind.CAMPAIGN_NOT_TAKEN: Rule(
            title="A campaign in code is not taken",
            severity=Severity.WARNING,
            advice="mend it in the module and restart the workers; what was stored of it stays in force",
            lasts=180.0,
            gone=0.0,
        ),
    }
)
"""Every kind of alert, how it is told and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert as it stands. `since`: when its condition was first seen; `ended_at` is None while it goes on."""

    alert_no: int
    kind: AlertKind
    appid: str
    subject: str
    detail: str
    since: datetime
    seen_at: datetime
    ended_at: datetime | None

    @property
    def rule(self) -> Rule:
        """How it is told."""
        return RULES[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell of an alert; `number` is higher than those of all before it."""

    number: int
    what: What
    alert: Alert
