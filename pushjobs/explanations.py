"""The rules that can hold a job, in the order in which admission asks them, each with its words.

Pure: a rule looks at a `Case` and answers or passes; the first answer counts. Words are English sentences with the
figures in them, times in the app's zone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pushjobs.delivery.charging import Rules
from pushjobs.domain.backoff import MAX_ATTEMPTS
from pushjobs.domain.consent import Standing, judge
from pushjobs.domain.job import DoubtPolicy, Job, JobState, Lane, OnQuota, Reason
from pushjobs.domain.moment import QuietHours, next_day_at, quota_day
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.domain.receipt import ReceiptState
from pushjobs.domain.rule import Rule
from pushjobs.store.inspecting import MOST_COUNTED, Facts
from pushjobs.wechat.errcodes import meaning

__all__ = ["Case", "Explanation", "explain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A job and everything the rules look at; `place`: jobs that go before it; `per_second`: calls a second.

    `most`: where counting who goes before it ended; a `place` beyond it is more than that.
    """

    job: Job
    facts: Facts
    pauses: Sequence[Pause]
    place: int
    per_second: float
    rules: Rules
    quiet_hours: QuietHours | None
    most: int = MOST_COUNTED

    @property
    def is_due(self) -> bool:
        """Whether its moment has come."""
        return self.job.due_at <= self.facts.now

    @property
    def turn(self) -> datetime:
        """When it leaves if nothing but the pace holds it."""
        return max(self.job.due_at, self.facts.now + timedelta(seconds=self.place / self.per_second))

    def local(self, moment: datetime) -> str:
        """Write a moment as people in the app's zone read it."""
        return f"{moment.astimezone(self.rules.zone):%Y-%m-%d %H:%M:%S} ({self.rules.zone.key})"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule's answer."""

    rule: Rule
    words: str
    when: datetime | None = None


_Rule = Callable[[Case], Explanation | None]


def explain(case: Case) -> Explanation:
    """Find the rule that holds the job."""
    for rule in _RULES:
        if (found := rule(case)) is not None:
            return found
    return _turn(case)


def _closed(case: Case) -> Explanation | None:
    job = case.job
    at = "" if job.closed_at is None else f" at {case.local(job.closed_at)}"
    because = _because(job)
    match job.state:
        case JobState.SENT:
            number = "" if job.msgid is None else f" WeChat's number of the message is {job.msgid}."
            return Explanation(Rule.CLOSED, f"It was sent{at}{because}.{number}{_receipt(case)}")
        case JobState.DEAD:
            after = _NOTHING_LEFT if job.is_forgotten else "it can be replayed"
            words = f"It was given up{at} after {job.attempts} attempts{because}; {after}."
            return Explanation(Rule.CLOSED, words)
        case JobState.REFUSED | JobState.EXPIRED | JobState.CANCELLED:
            was = "expired" if job.state is JobState.EXPIRED else f"was {job.state}"
            return Explanation(Rule.CLOSED, f"It {was}{at}{because}.")
        case _:
            return None


def _receipt(case: Case) -> str:
    receipt = case.job.receipt
    if receipt is None:
        return ""
    if receipt.state is ReceiptState.DELIVERED:
        return f" WeChat delivered it at {case.local(receipt.at)}."
    what = ", ".join(filter(None, (str(receipt.errcode or ""), receipt.status))) or "no reason given"
    return f" WeChat could not deliver it at {case.local(receipt.at)} ({what})."


def _in_doubt(case: Case) -> Explanation | None:
    if case.job.state is not JobState.IN_DOUBT:
        return None
    called = "" if case.job.called_at is None else f" at {case.local(case.job.called_at)}"
    words = f"Nobody knows whether its call{called} got through"
    if case.job.is_forgotten:
        return Explanation(Rule.IN_DOUBT, f"{words}; {_NOTHING_LEFT}, but it may be resolved as sent.")
    if case.facts.in_doubt is DoubtPolicy.RESEND and case.job.attempts < MAX_ATTEMPTS:
        return Explanation(Rule.IN_DOUBT, f"{words}; its template accepts a repeat, so it is sent again in a minute.")
    return Explanation(
        Rule.IN_DOUBT, f"{words}; it is held until WeChat or somebody resolves it, as sent or to be sent again."
    )


def _under_way(case: Case) -> Explanation | None:
    if case.job.state is JobState.SENDING:
        lease = case.facts.lease_until
        until = "" if lease is None else f", or decided at {case.local(lease)} if that worker is gone"
        return Explanation(Rule.UNDER_WAY, f"A worker is calling WeChat with it this moment{until}.", case.facts.now)
    return None


def _deadline(case: Case) -> Explanation | None:
    if max(case.job.due_at, case.facts.now) < case.job.expires:
        return None
    words = f"Its deadline, {case.local(case.job.expires)}, comes before it could be tried: then it expires."
    return Explanation(Rule.DEADLINE, words, max(case.job.expires, case.facts.now))


def _paused(case: Case) -> Explanation | None:
    """Let a pause hold what is due, what it gave back a little early, and what falls due before its end."""
    is_held = case.is_due or case.job.reason is Reason.PAUSED
    holding = [
        pause for pause in _holding(case) if is_held or (pause.until is not None and pause.until > case.job.due_at)
    ]
    if not holding:
        return None
    # The longest counts: behind one without an end there is no other.
    pause = max(holding, key=lambda each: (each.until is None, each.until or each.since))
    rule = _PAUSE_RULES.get(pause.reason, Rule.BREAKER)
    return Explanation(rule, _paused_words(case, pause), None if pause.until is None else max(pause.until, case.turn))


def _run(case: Case) -> Explanation | None:
    """Say what its campaign's run waits for; one that was stopped ends its jobs within seconds."""
    run = case.facts.run
    if run is None or (run.state.lets_jobs_leave and not run.is_paused):
        return None
    of = f"It is of the run {run.run_no} of the campaign {run.key}, which"
    if run.state.ends_jobs is not None:
        return Explanation(Rule.RUN, f"{of} is {run.state}: it ends with it within seconds.")
    if run.is_paused:
        return Explanation(Rule.RUN, f"{of} is paused until somebody resumes.")
    when = max(run.begins_at, case.turn)
    return Explanation(Rule.RUN, f"{of} begins at {case.local(run.begins_at)}, when its content is there.", when)


def _holding(case: Case) -> list[Pause]:
    return [each for each in case.pauses if each.holds(case.facts.template_no, case.job.lane)]


def _paused_words(case: Case, pause: Pause) -> str:
    if pause.until is None:
        until = " until one of the jobs that try every few seconds is sent"
        until = " until somebody resumes" if pause.probe_in is None else until
    else:
        until = f" until {case.local(pause.until)}"
    code = "" if pause.errcode is None else f" (WeChat answered {pause.errcode}: {meaning(pause.errcode)})"
    note = "" if pause.note is None else f": {pause.note}"
    because = f"{_PAUSES[pause.reason]}{code}{note}"
    return f"{_what(pause)} is paused since {case.local(pause.since)}{until}, {because}."


def _put_off(case: Case) -> Explanation | None:
    """Name what put the job off: its reason, until it is due again."""
    if case.is_due or (found := _PUT_OFF.get(case.job.reason or Reason.DEADLINE)) is None:
        return None
    rule, words = found
    figures = {
        "used": _used(case),
        "attempts": f"attempt {case.job.attempts} of {MAX_ATTEMPTS}",
        "code": _code(case.job),
    }
    return Explanation(
        rule, f"{words.format(**figures)}; it is tried again at {case.local(case.job.due_at)}.", case.turn
    )


def _not_due(case: Case) -> Explanation | None:
    if case.is_due:
        return None
    words = f"It is not due before {case.local(case.job.due_at)}.{_before(case)}"
    # Nobody knows whether a pause without an end will still be there by then.
    if endless := [pause for pause in _holding(case) if pause.until is None]:
        words = f"{words} {_paused_words(case, endless[0])}"
    return Explanation(Rule.NOT_DUE, words, case.turn)


def _quiet(case: Case) -> Explanation | None:
    if case.job.lane is not Lane.BULK or case.quiet_hours is None:
        return None
    ends = case.quiet_hours.end_after(case.facts.now, case.rules.zone)
    if ends is None:
        return None
    return Explanation(Rule.QUIET_HOURS, f"Bulk jobs rest in the quiet hours until {case.local(ends)}.", ends)


def _quota(case: Case) -> Explanation | None:
    today = quota_day(case.facts.now, case.rules.zone)
    sent, held = case.facts.user.used_on(today)
    cap, own_cap = case.rules.daily_quota, case.facts.daily_cap
    is_own_full = own_cap is not None and case.facts.template_day == today and case.facts.template_used >= own_cap
    if (cap is None or sent + held < cap) and not is_own_full:
        return None
    words = f"{_used(case)[0].upper()}{_used(case)[1:]}"
    if cap is not None and sent < cap <= sent + held and not is_own_full:
        words = f"{words}: it goes on when the calls under way are answered."
        return Explanation(Rule.QUOTA, words, case.facts.now + timedelta(seconds=1))
    resume = next_day_at(case.facts.now, case.rules.zone, case.rules.resume_hour)
    if case.facts.on_quota is OnQuota.REFUSE:
        return Explanation(Rule.QUOTA, f"{words}, and it is not to wait: it will be refused.")
    if resume >= case.job.expires:
        return Explanation(Rule.QUOTA, f"{words}, and its deadline comes before the next day: it will be refused.")
    return Explanation(Rule.QUOTA, f"{words}: it goes on the next day from {case.local(resume)} on.", resume)


def _busy(case: Case) -> Explanation | None:
    until = case.facts.user.in_flight_until
    if until is None or until < case.facts.now:
        return None
    words = "Another message is on its way to the same user: it goes on when that one is answered."
    return Explanation(Rule.USER_BUSY, words, case.facts.now + timedelta(seconds=1))


def _consent(case: Case) -> Explanation | None:
    known, policy = case.facts.consent, case.facts.consent_policy
    match judge(known, policy):
        case Standing.GO:
            return None
        case Standing.WAIT:
            count = 0 if known is None else known.held
            words = f"All {count} credits of the user for this template are held by calls under way."
            return Explanation(Rule.CONSENT, words, case.facts.now + timedelta(seconds=1))
        case Standing.NO:
            has = "no credit is known" if known is None else "every credit is used up"
            words = f"The user's consent is missing: {has} for this template ({policy}), so it will be refused."
            return Explanation(Rule.CONSENT, words)


def _turn(case: Case) -> Explanation:
    if case.job.state is JobState.RELEASED:
        begun = "It is handed to a worker and leaves at its slot."
    else:
        begun = "It is due and leaves with one of the next ticks."
    return Explanation(Rule.PACE, f"{begun}{_before(case)}", case.turn)


_RULES: tuple[_Rule, ...] = (
    _closed,
    _in_doubt,
    _under_way,
    _deadline,
    _paused,
    _run,
    _put_off,
    _not_due,
    _quiet,
    _quota,
    _busy,
    _consent,
)


def _before(case: Case) -> str:
    """Say who goes before it, and how long that takes at the pace of this moment."""
    if not case.place:
        return ""
    if case.place > case.most:
        return (
            f" Of the {case.job.lane} lane more than {case.most:,} jobs go before it: at {case.per_second:.4g} calls a "
            f"second it does not leave before {case.local(case.turn)}."
        )
    are = "1 job goes" if case.place == 1 else f"{case.place:,} jobs go"
    return (
        f" Of the {case.job.lane} lane {are} before it: at {case.per_second:.4g} calls a second it leaves about "
        f"{case.local(case.turn)}."
    )


def _used(case: Case) -> str:
    today = quota_day(case.facts.now, case.rules.zone)
    sent, held = case.facts.user.used_on(today)
    cap, own_cap = case.rules.daily_quota, case.facts.daily_cap
    if own_cap is not None and case.facts.template_day == today and case.facts.template_used >= own_cap:
        return f"the user has had {case.facts.template_used} of {own_cap} messages of this template today"
    of = "" if cap is None else f" of {cap}"
    under_way = f" ({held} more under way)" if held else ""
    return f"the user has had {sent}{of} messages today{under_way}"


def _code(job: Job) -> str:
    return "" if job.errcode is None else f" (WeChat answered {job.errcode}: {meaning(job.errcode)})"


def _because(job: Job) -> str:
    if job.reason is None:
        return ""
    words = _CLOSED.get(job.reason, str(job.reason))
    return f": {words}{_code(job)}"


def _what(pause: Pause) -> str:
    if pause.template_no is None:
        return "The app" if pause.lane is None else f"The {pause.lane} lane"
    return "Its template" if pause.lane is None else f"Its template in the {pause.lane} lane"


_NOTHING_LEFT = "its user was forgotten, and there is nothing left to send"
_PAUSES = {
    PauseReason.OPERATOR: "by an operator",
    PauseReason.TEMPLATE_FAULT: "because WeChat finds fault with the template",
    PauseReason.APP_FAULT: "because WeChat refuses the app's calls",
    PauseReason.DAY_OVER: "because WeChat says that the day's allowance is used up",
    PauseReason.SLOW_DOWN: "because WeChat says that the minute's calls are used up",
    PauseReason.APP_BUDGET: "because the app's calls of the day are used up",
    PauseReason.WECHAT_DOWN: "because WeChat does not answer",
    PauseReason.RESTORED: "because the database stepped back in time, and what was sent may be due again",
}
_PAUSE_RULES = {
    PauseReason.OPERATOR: Rule.PAUSED,
    PauseReason.RESTORED: Rule.PAUSED,
    PauseReason.DAY_OVER: Rule.APP_BUDGET,
    PauseReason.APP_BUDGET: Rule.APP_BUDGET,
    PauseReason.SLOW_DOWN: Rule.PACE,
}
_PUT_OFF = {
    Reason.QUOTA: (Rule.QUOTA, "It waits for another day, for {used}"),
    Reason.QUOTA_HELD: (Rule.QUOTA, "It waits for calls under way to be answered, for {used}"),
    Reason.CONSENT_HELD: (Rule.CONSENT, "Every credit of the user for this template is held by calls under way"),
    Reason.USER_BUSY: (Rule.USER_BUSY, "Another message was on its way to the same user"),
    Reason.QUIET_HOURS: (Rule.QUIET_HOURS, "Bulk jobs rest in the quiet hours"),
    Reason.UNDECRYPTABLE: (Rule.KEY, "No key in ENCRYPTION_KEYS opens its message"),
    Reason.RETRY: (Rule.RETRY, "It did not go ({attempts}){code}"),
    Reason.TOKEN: (Rule.RETRY, "The access token was not accepted ({attempts}){code}"),
    Reason.NOT_SENT: (Rule.RETRY, "WeChat could not be reached, and nothing was sent"),
    Reason.SLOW_DOWN: (Rule.PACE, "WeChat said too fast{code}"),
    Reason.RESOLVED: (Rule.IN_DOUBT, "It was in doubt and is sent again by an operator's word"),
}
_CLOSED = {
    Reason.DEADLINE: "its deadline passed before anyone called",
    Reason.REQUESTED: "its owner took it back",
    Reason.QUOTA: "its user had had the day's messages, and it was not to wait or could not",
    Reason.NO_CONSENT: "the user's consent was missing",
    Reason.FORM_ID: "WeChat calls its form id invalid or used up",
    Reason.RECIPIENT: "WeChat knows no such user of this app, or the user cannot be reached",
    Reason.CONTENT: "WeChat does not accept what it says",
    Reason.TEMPLATE_FAULT: "WeChat finds fault with its template",
    Reason.UNLISTED_CODE: "WeChat answered with a code that no page lists",
    Reason.ATTEMPTS_USED_UP: "its attempts were used up",
    Reason.RESOLVED: "by an operator's word",
    Reason.RECEIPT: "its answer was lost, and WeChat told of it afterwards",
    Reason.LATE_ANSWER: "its answer came late",
    Reason.FORGOTTEN: "its user was forgotten",
    Reason.RUN_CANCELLED: "its campaign's run was cancelled",
    Reason.NOTHING_NEW: "its campaign's feed had nothing new",
    Reason.NO_CONTENT: "its campaign's content could not be fetched",
}
