"""What answers hold: our records as JSON, in the names of Python's and the terminal's.

Each record is also its own schema: `document` reads the fields and the docstrings that stand here. Moments are in UTC,
ISO 8601. Of what is internal (our numbers for apps and templates) nothing is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pushjobs import inspection
from pushjobs.domain import consent as consents
from pushjobs.domain import pause as pauses
from pushjobs.domain.job import Lane
from pushjobs.domain.pause import PauseReason
from pushjobs.domain.translation import Translation
from pushjobs.http.v1.job_answers import BatchReport, Cancelled, History, Job, JobPage, Why
from pushjobs.inspection import QuotaSource
from pushjobs.store.catalogue import KnownTemplate

__all__ = ["RECORDS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A keyword of a template: its key in `data`, the name that users read; its only values, where it lists them."""

    key: str
    name: str
    allowed: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template of the app's catalogue, and the keywords that a message must fill."""

    template_id: str
    title: str | None
    kind: str | None
    keywords: Sequence[Keyword]

    @classmethod
    def of(cls, template_id: str, known: KnownTemplate) -> "Template":
        """Show a template."""
        fields = () if known.template is None else known.template.fields
        return cls(
            template_id=template_id,
            title=known.title,
            kind=None if known.template is None else known.template.kind,
            keywords=[Keyword(key=each.key, name=each.name, allowed=each.allowed) for each in fields],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """The app's templates."""

    templates: Sequence[Template]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """How many templates WeChat lists for the app."""

    templates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTemplate:
    """How messages of a legacy template become messages of a subscribe template; a keyword of null is left out."""

    legacy_id: str
    template_id: str
    keywords: Mapping[str, str | None]
    shortens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTemplates:
    """The legacy templates whose messages are translated."""

    mappings: Sequence[LegacyTemplate]

    @classmethod
    def of(cls, found: Mapping[str, Translation]) -> "LegacyTemplates":
        """Show mappings."""
        return cls(
            mappings=[
                LegacyTemplate(
                    legacy_id=legacy_id,
                    template_id=each.template_id,
                    keywords=dict(each.keywords),
                    shortens=each.shortens,
                )
                for legacy_id, each in found.items()
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What is known of a user's consent to a template: messages granted, those of them under way, or all of them."""

    template_id: str
    credits: int
    held: int
    is_standing: bool

    @classmethod
    def of(cls, template_id: str, consent: consents.Consent) -> "Consent":
        """Show a consent."""
        return cls(template_id=template_id, credits=consent.credits, held=consent.held, is_standing=consent.is_standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consents:
    """What is known of a user's consents; a template that is not there was never spoken of."""

    consents: Sequence[Consent]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuota:
    """A user's day: messages `sent`, and `held` by calls under way, of `cap` (null: no limit); the next at `begins`."""

    day: date
    sent: int
    held: int
    cap: int | None
    begins: datetime

    @classmethod
    def of(cls, quota: inspection.Quota) -> "UserQuota":
        """Show a quota."""
        return cls(day=quota.day, sent=quota.sent, held=quota.held, cap=quota.cap, begins=quota.begins)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppQuota:
    """The app's day in Shanghai: calls `used`, what workers have in hand included, of `cap`; the next at `begins`.

    `source` says who sets the cap; `wechat_limit` is what WeChat says it allows, null: it has not said.
    """

    day: date
    used: int
    cap: int | None
    source: QuotaSource
    wechat_limit: int | None
    used_elsewhere: int
    begins: datetime

    @classmethod
    def of(cls, quota: inspection.AppQuota) -> "AppQuota":
        """Show a quota."""
        return cls(
            day=quota.day,
            used=quota.used,
            cap=quota.cap,
            source=quota.source,
            wechat_limit=quota.wechat_limit,
            used_elsewhere=quota.used_elsewhere,
            begins=quota.begins,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """What is held back: the app's jobs, or only a template's or a lane's; `until` null: until it is resumed."""

    template_id: str | None
    lane: Lane | None
    reason: PauseReason
    errcode: int | None
    note: str | None
    since: datetime
    until: datetime | None

    @classmethod
    def of(cls, pause: pauses.Pause) -> "Pause":
        """Show a pause."""
        return cls(
            template_id=pause.template_id,
            lane=pause.lane,
            reason=pause.reason,
            errcode=pause.errcode,
            note=pause.note,
            since=pause.since,
            until=pause.until,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """What is paused, the oldest first."""

    pauses: Sequence[Pause]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """How many pauses were lifted."""

    lifted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app that the client may send for; `is_default`: it is meant where none is named."""

    appid: str
    is_default: bool
    timezone: str
    daily_quota: int | None
    quiet_hours: str | None
    resume_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Apps:
    """The client's apps."""

    apps: Sequence[App]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """What is wrong with one field: its path in the body, the fault, and the rule that it breaks."""

    field: str
    fault: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request was refused (RFC 9457); with `errors` where fields are at fault.

    `request_id` stands in the header `X-Request-Id`, too, and in the log of whoever runs this installation.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: Sequence[FieldError] | None = None
    request_id: str | None = None


RECORDS: tuple[Any, ...] = (
    *(Apps, AppQuota, BatchReport, Cancelled, Consent, Consents, History, Job, JobPage, LegacyTemplates, Pause, Pauses),
    *(Problem, Resumed, Synced, Template, Templates, UserQuota, Why),
)
"""Every record that an answer is."""
