"""A run rehearsed: who would get it, who not and by which rule, how long it takes. Nobody is sent to, nothing stored.

The audience is read as a run would read it, and its users are looked at as the gates would look at them this moment,
by the same rules; what is sent until the run begins is not known yet. A feed is fetched, for the samples.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from pushjobs import clock
from pushjobs.campaigns.audiences import Recipient
from pushjobs.campaigns.feeds import Fetched, fetch
from pushjobs.campaigns.parts import Opened, Parts
from pushjobs.domain.consent import Standing, judge
from pushjobs.domain.job import Lane, OnQuota
from pushjobs.domain.message import Content
from pushjobs.domain.moment import quota_day
from pushjobs.errors import InvalidInput
from pushjobs.store import pauses, rehearsing
from pushjobs.store import templates as template_rows
from pushjobs.store.campaigns import StoredCampaign
from pushjobs.store.database import Database
from pushjobs.store.rehearsing import Group
from pushjobs.store.sealing import Lookup
from pushjobs.store.snapshots import Member

__all__ = ["Rehearsal", "Sample", "Verdict", "rehearse", "sample"]

_MOST_SAMPLES = 3
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one user would be sent: the `content`; the open id in `touser` is cut after its first letters."""

    touser: str
    content: Content = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """So many `users` would be refused for a `rule`, or wait where `waits`."""

    rule: str
    users: int
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A run as it would be. `at`: the instant it was rehearsed for; `seconds`: how long its calls take.

    `users` are in the audience, each once; `repeated` rows named one again, `rejected` rows were none, by fault.
    `gets` of them would be sent the message; the others stand in `verdicts`. `held`: why nothing would leave at all.
    `samples`: what the first three would be sent.
    """

    at: datetime
    users: int
    repeated: int
    rejected: Mapping[str, int]
    gets: int
    verdicts: Sequence[Verdict]
    seconds: float
    held: Sequence[str]
    samples: Sequence[Sample]


def rehearse(
    database: Database, campaign: StoredCampaign, opened: Opened, parts: Parts, *, lookup: Lookup, allow_private: bool
) -> Rehearsal:
    """Go through a campaign's next run; raises AudienceUnread, ContentUnfetched, InvalidInput for a feed's content."""
    at = campaign.next_at or clock.now()
    day = quota_day(at, parts.admittance.rules.zone)
    members = _Members(opened, _shared(opened, allow_private=allow_private), appid=campaign.appid, lookup=lookup)
    with database.transaction() as connection:
        groups = rehearsing.groups(
            connection, members, app_no=campaign.app_no, template_no=campaign.template_no, day=day
        )
        in_force = pauses.active(connection, campaign.app_no)
        rules = template_rows.rules(connection, campaign.template_no)
    verdicts, gets = _judged(groups, campaign, parts, rules)
    users = sum(group.users for group in groups)
    held = [f"paused ({each.reason})" for each in in_force if each.holds(campaign.template_no, campaign.policies.lane)]
    quiet = parts.admittance.quiet_hours
    if campaign.policies.lane is Lane.BULK and quiet is not None and (ends := quiet.end_after(at, parts.terms.zone)):
        held.append(f"quiet hours until {ends.astimezone(ZoneInfo(campaign.zone)):%H:%M}")
    if campaign.paused_at is not None:
        held.append("the campaign is paused")
    return Rehearsal(
        at=at,
        users=users,
        repeated=members.fit - users,
        rejected=members.rejected,
        gets=gets,
        verdicts=verdicts,
        seconds=max(gets * parts.limit().spacing, campaign.policies.spread.total_seconds()),
        held=held,
        samples=members.samples,
    )


def sample(opened: Opened, touser: str, *, allow_private: bool) -> Content:
    """Return what one user would be sent: by the user's own row, by the first one where there is none.

    Raises AudienceUnread, ContentUnfetched, InvalidInput where no row gives a content.
    """
    if (shared := _shared(opened, allow_private=allow_private)) is not None:
        return shared
    first: Content | InvalidInput | None = None
    for row in opened.audience.rows():
        if isinstance(row, Recipient) and (first is None or row.touser == touser):
            first = opened.recipe.personal(row.columns)
            if row.touser == touser:
                break
    if first is None:
        raise InvalidInput("audience", "has no row that a content could be made of", "look at it: `campaign rehearse`")
    if isinstance(first, InvalidInput):
        raise first
    return first


class _Members:
    """The users of an audience without anything of theirs, and what is found on the way."""

    def __init__(self, opened: Opened, shared: Content | None, *, appid: str, lookup: Lookup) -> None:
        self._opened = opened
        self._shared = shared
        self._appid = appid
        self._lookup = lookup
        self.fit = 0
        self.rejected: Counter[str] = Counter()
        self.samples: list[Sample] = []

    def __iter__(self) -> Iterator[Member]:
        for row in self._opened.audience.rows():
            if not isinstance(row, Recipient):
                self._reject(row.refusal)
                continue
            content = self._shared or self._opened.recipe.personal(row.columns)
            if isinstance(content, InvalidInput):
                self._reject(content)
                continue
            self.fit += 1
            if len(self.samples) < _MOST_SAMPLES:
                self.samples.append(Sample(touser=f"{row.touser[:_SHOWN]}…", content=content))
            yield self._lookup.recipient(self._appid, row.touser), b""

    def _reject(self, refusal: InvalidInput) -> None:
        self.rejected[f"{refusal.field} {refusal.fault}"] += 1


def _shared(opened: Opened, *, allow_private: bool) -> Content | None:
    recipe = opened.recipe
    if recipe.feed is None:
        return recipe.fixed
    # Nothing is known, so that an old entry is shown rather than nothing.
    fetched = fetch(recipe.feed, None, allow_private=allow_private)
    return recipe.from_entry(fetched.entry) if isinstance(fetched, Fetched) else None


def _judged(
    groups: Sequence[Group], campaign: StoredCampaign, parts: Parts, rules: template_rows.TemplateRules
) -> tuple[list[Verdict], int]:
    found: Counter[tuple[str, bool]] = Counter()
    gets = 0
    for group in groups:
        verdict = _verdict(group, campaign, parts, rules)
        if verdict is None:
            gets += group.users
        else:
            found[verdict] += group.users
    return [Verdict(rule=rule, users=users, waits=waits) for (rule, waits), users in found.most_common()], gets


def _verdict(
    group: Group, campaign: StoredCampaign, parts: Parts, rules: template_rows.TemplateRules
) -> tuple[str, bool] | None:
    """Return the rule that a group of users is held by, and whether they wait; None where they would be sent to."""
    waits = campaign.policies.on_quota is OnQuota.DEFER
    cap = parts.admittance.rules.daily_quota
    match judge(group.consent, rules.consent):
        case Standing.NO:
            return "no consent", False
        case Standing.WAIT:
            return "consent held by calls under way", True
        case Standing.GO:
            pass
    if cap is not None and group.sent >= cap:
        return "daily quota", waits
    if rules.daily_cap is not None and group.template_used >= rules.daily_cap:
        return "daily quota of the template", waits
    return None
