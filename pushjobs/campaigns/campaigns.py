"""The verbs of campaigns, for code and for people: add, edit, delete, look, preview, pause, resume, cancel, export.

A campaign declared in code (`beat_schedule.CAMPAIGNS`) is read-only here but for pauses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Unpack
from zoneinfo import ZoneInfo

from pushjobs import clock
from pushjobs.campaigns.audiences import read_audience, stored_name
from pushjobs.campaigns.definition import CampaignArguments, Definition, read_definition, read_key, stored_arguments
from pushjobs.campaigns.parts import Opened, Parts, opened
from pushjobs.campaigns.rehearsal import Rehearsal, rehearse, sample
from pushjobs.domain.campaign import Policies
from pushjobs.domain.events import CampaignNotTaken
from pushjobs.domain.instants import Instant, read_cron
from pushjobs.domain.job import Job, JobState
from pushjobs.errors import InvalidInput, NotFound, NotPossible, PushJobsError, Undecryptable
from pushjobs.store import campaigns as stored
from pushjobs.store import envelope, run_jobs, runs
from pushjobs.store.campaigns import StoredCampaign
from pushjobs.store.database import Database
from pushjobs.store.runs import Count, Run
from pushjobs.store.sealing import Lookup, Sealer
from pushjobs.telemetry import Emit

__all__ = ["Campaign", "Campaigns", "Progress", "Unreached"]

_MOST_RUNS = 1000
_MOST_INSTANTS = 1000
_PAGE = 1000
_LONGEST_KEY = 64
_BEYOND_RUNS = 2**31
_UNREACHED = (JobState.REFUSED, JobState.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign as people see it, with its `key`, which never changes, and its `name`, which may.

    It sends `content` as `template_id` of `appid` when `cron` says so in `zone`, by its `policies`. `audience` says
    to whom, without user and password; `stored_audience`: the name of one that was uploaded, else None. `next_at`: its
    next instant that is not planned yet; None: there is none. `is_declared`: it stands in code, and is changed there.
    `created_at`, `changed_at`: of its definition; `paused_at`: since when it is held, None: it is not.
    """

    key: str
    name: str
    appid: str
    template_id: str
    cron: str
    zone: str
    policies: Policies
    audience: str
    stored_audience: str | None
    content: Mapping[str, Any] = field(repr=False)
    is_declared: bool
    next_at: datetime | None
    created_at: datetime
    changed_at: datetime
    paused_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a `run` is: `planned` users, `made` jobs, of which so many are in each of `states`.

    `remaining`: how many are still to be closed; None, as `planned`: the audience is not read yet. `refused` counts the
    refused by reason. `finishes_at`: when the last leaves, at the pace and the spread of this moment; None: it is over,
    or cannot be known.
    """

    run: Run
    planned: int | None
    made: int
    states: Mapping[JobState, int]
    refused: Mapping[str, int]
    remaining: int | None
    finishes_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """A user (`touser`, an open id) whom a run did not reach.

    `job_id`: the job; `state`: refused or dead; `reason`: why; `errcode`: WeChat's answer, None where it was not asked;
    `closed_at`: since when.
    """

    job_id: int
    touser: str = field(repr=False)
    state: JobState
    reason: str | None
    errcode: int | None
    closed_at: datetime


class Campaigns:
    """Campaigns of every app of the installation, `push.campaigns`; safe to share between threads.

    A `key` names a campaign for good, a `run_no` one of its runs.

    Every method raises Unreachable when PostgreSQL does not answer, and NotReady when our tables are not there.
    """

    def __init__(  # noqa: PLR0913 - what campaigns are defined, sealed and tried with
        self,
        database: Database,
        parts: Callable[[object], Parts],
        *,
        sealer: Sealer,
        lookup: Lookup,
        send: Callable[[Mapping[str, Any]], Job],
        allow_private: bool,
        emit: Emit,
    ) -> None:
        """`parts` gives what is used of an app by its appid, None for the one that is meant; raises InvalidInput.

        `send` sends one message, given the keyword arguments of the producer's.
        """
        self._database = database
        self._parts = parts
        self._sealer = sealer
        self._lookup = lookup
        self._send = send
        self._allow_private = allow_private
        self._emit = emit

    def add(self, key: str, *, openid: str | None = None, **arguments: Unpack[CampaignArguments]) -> Campaign:
        """Define a campaign; its first instant is the first one from now on. Raises InvalidInput, and stores nothing.

        `key`: up to 64 of `a-z`, `0-9`, `-` and `_`, with a letter. `arguments` are those of `CampaignArguments`. Where
        WeChat judges the template's texts, a fixed content is judged here, once, for the user `openid`.
        """
        definition = self._read(read_key(key), arguments, openid)
        new = self._row(definition, is_declared=False)
        with self._database.transaction() as connection:
            if not stored.add(connection, new):
                raise InvalidInput("key", "is a campaign's already", "choose another key, or edit that one")
        return self.get(key)

    def edit(self, key: str, *, openid: str | None = None, **changes: Unpack[CampaignArguments]) -> Campaign:
        """Change what is given in `changes`, None for the default; runs that have begun go on as they were.

        `openid` is as in `add`. Raises NotFound, NotPossible for one that stands in code, InvalidInput.
        """
        old = self._changeable(key)
        record = envelope.open_campaign(self._sealer, old.sealed, appid=old.appid, key=old.key)
        definition = self._read(key, {**stored_arguments(old, record), **changes}, openid)
        new = self._row(definition, is_declared=False)
        with self._database.transaction() as connection:
            if new.fingerprint != old.fingerprint and not stored.change(connection, old, new):
                raise NotPossible(f"the campaign {key} was changed this moment by somebody else: look at it again")
        return self.get(key)

    def delete(self, key: str) -> None:
        """Take a campaign out of force; runs that have begun go on, its key is free. Raises NotFound, NotPossible."""
        old = self._changeable(key)
        with self._database.transaction() as connection:
            stored.retire(connection, old.campaign_no)

    def declare(self, declared: Mapping[str, Mapping[str, Any]]) -> bool:
        """Bring what is stored in line with `declared`, the campaigns in code; return whether all could be taken.

        Whatever it is that one of them has wrong, an event tells, it stays as it was, and the others are taken.
        """
        are_all_taken = True
        with self._database.transaction() as connection:
            known = {each.key: each for each in stored.listed(connection)}
        for key, arguments in declared.items():
            try:
                self._declare(key, arguments, known.get(key))
            except PushJobsError as trouble:
                are_all_taken = False
                self._emit(CampaignNotTaken(key=str(key)[:_LONGEST_KEY], why=str(trouble)))
        gone = [each for key, each in known.items() if each.is_declared and key not in declared]
        with self._database.transaction() as connection:
            for each in gone:
                stored.retire(connection, each.campaign_no)
        return are_all_taken

    def list(self) -> Sequence[Campaign]:
        """Return the campaigns in force, by their keys."""
        with self._database.transaction() as connection:
            found = stored.listed(connection)
        return [self._shown(each) for each in found]

    def get(self, key: str) -> Campaign:
        """Return a campaign; raises NotFound."""
        return self._shown(self._find(key))

    def preview(self, key: str, count: int = 10) -> Sequence[Instant]:
        """Return a campaign's next `count` instants (1 to 1,000), with what clocks do to them; raises NotFound."""
        if not 0 < count <= _MOST_INSTANTS:
            raise InvalidInput("count", f"is {count}", f"it is between 1 and {_MOST_INSTANTS}")
        found = self._find(key)
        return list(islice(read_cron(found.cron, ZoneInfo(found.zone)).after(clock.now()), count))

    def runs(self, key: str, *, limit: int = 20) -> Sequence[Run]:
        """Return a campaign's latest runs, at most `limit` (1 to 1,000), the latest first; raises NotFound."""
        if not 0 < limit <= _MOST_RUNS:
            raise InvalidInput("limit", f"is {limit}", f"it is between 1 and {_MOST_RUNS}")
        with self._database.transaction() as connection:
            return runs.listed(connection, self._find(key).campaign_no, limit=limit)

    def going_on(self) -> Sequence[Run]:
        """Return the runs of all campaigns that are not finished, the earliest first."""
        with self._database.transaction() as connection:
            return runs.going_on(connection)

    def latest(self) -> Mapping[str, Run]:
        """Return the latest run of each campaign in force that has one, by the campaign's key."""
        with self._database.transaction() as connection:
            return {run.key: run for run in runs.latest(connection)}

    def run(self, run_no: int) -> Run:
        """Return a run as it was counted last; raises NotFound."""
        with self._database.transaction() as connection:
            found = runs.find(connection, run_no) if 0 < run_no < _BEYOND_RUNS else None
        if found is None:
            raise NotFound(f"there is no run {run_no}")
        return found

    def progress(self, run_no: int) -> Progress:
        """Count how far a run is this moment; where its jobs are pruned, what was counted last. Raises NotFound."""
        run = self.run(run_no)
        with self._database.transaction() as connection:
            counts = run_jobs.count(connection, run_no)
        are_all_there = sum(each.jobs for each in counts) >= run.expanded
        return self._progress(run, counts if are_all_there else run.counts)

    def counted(self, run: Run) -> Progress:
        """Say how far a `run` is as it was counted last; asks nobody."""
        return self._progress(run, run.counts)

    def pause(self, named: str | int) -> int:
        """Hold what is `named`: a run by its number, or by a campaign's key all of its runs and its instants to come.

        Returns how many runs are held; raises NotFound.
        """
        return self._hold(named, is_held=True)

    def resume(self, named: str | int) -> int:
        """Let what is `named` go on, as `pause` has it; instants that passed meanwhile are not made up for."""
        return self._hold(named, is_held=False)

    def cancel(self, run_no: int) -> Run:
        """Stop a run: what of it nobody has begun to send is cancelled. Raises NotFound, and NotPossible at its end."""
        found = self.run(run_no)
        with self._database.transaction() as connection:
            if not runs.cancel(connection, run_no):
                raise NotPossible(f"the run {run_no} is {found.state}: it cannot be cancelled")
        return self.run(run_no)

    def rehearse(self, key: str) -> Rehearsal:
        """Say who would get the next run, who not and by which rule, and how long it takes; nothing is stored or sent.

        Raises NotFound, AudienceUnread, ContentUnfetched, InvalidInput.
        """
        found = self._find(key)
        parts = self._parts(found.appid)
        read = self._opened(found, parts)
        return rehearse(self._database, found, read, parts, lookup=self._lookup, allow_private=self._allow_private)

    def test(self, key: str, touser: str, *, send: Callable[[Mapping[str, Any]], Job] | None = None) -> Job:
        """Send what the next run would say to `touser`, now; where each has a content of its own, by the user's row.

        One who is not in the audience gets the first row's. `send`: on whose behalf, everybody's unless given. Raises
        NotFound, InvalidInput, ContentUnfetched.
        """
        found = self._find(key)
        read = self._opened(found, self._parts(found.appid))
        content = sample(read, touser, allow_private=self._allow_private)
        return (send or self._send)({**content.as_record(), "touser": touser, "appid": found.appid})

    def unreached(self, run_no: int) -> Iterator[Unreached]:
        """Yield the users whom a run did not reach, refused and dead ones, by their jobs' numbers; raises NotFound.

        Users who were forgotten are left out, and so is what no key opens.
        """
        run, after = self.run(run_no), 0
        while True:
            with self._database.transaction() as connection:
                page = run_jobs.unreached(connection, run, _UNREACHED, after=after, limit=_PAGE)
            if not page:
                return
            after = page[-1].job_id
            for each in page:
                try:
                    touser = envelope.open_touser(self._sealer, each.sealed, appid=run.appid, recipient=each.recipient)
                except Undecryptable:
                    continue
                yield Unreached(
                    job_id=each.job_id,
                    touser=touser,
                    state=each.state,
                    reason=each.reason,
                    errcode=each.errcode,
                    closed_at=each.closed_at,
                )

    def _declare(self, key: str, arguments: Mapping[str, Any], known: StoredCampaign | None) -> None:
        if known is not None and not known.is_declared:
            raise InvalidInput("key", "is that of a campaign that was added at run time", "delete that one, or rename")
        if not isinstance(arguments, Mapping):
            raise InvalidInput("campaign", f"is no mapping ({type(arguments).__name__})", "give its arguments by name")
        new = self._row(self._read(read_key(key), arguments, None), is_declared=True)
        with self._database.transaction() as connection:
            if known is None:
                stored.add(connection, new)
            elif known.fingerprint != new.fingerprint:
                stored.change(connection, known, new)

    def _read(self, key: str, arguments: Mapping[str, Any], openid: str | None) -> Definition:
        parts = self._parts(arguments.get("appid"))
        definition = read_definition(key, arguments, parts)
        fixed = definition.opened.recipe.fixed
        if fixed is None:
            parts.vetting.let_unasked(definition.template_id)
        else:
            parts.vetting.vet_content(fixed, openid)
        return definition

    def _row(self, definition: Definition, *, is_declared: bool) -> stored.NewCampaign:
        return definition.as_row(now=clock.now(), is_declared=is_declared, sealer=self._sealer, lookup=self._lookup)

    def _find(self, key: str) -> StoredCampaign:
        with self._database.transaction() as connection:
            found = stored.find(connection, key)
        if found is None:
            raise NotFound("there is no campaign of that key: `pushjobs campaign list` has them all")
        return found

    def _changeable(self, key: str) -> StoredCampaign:
        found = self._find(key)
        if found.is_declared:
            raise NotPossible(f"the campaign {key} stands in code: change it there, and start the workers again")
        return found

    def _opened(self, found: StoredCampaign, parts: Parts) -> Opened:
        return opened(self._sealer, found.sealed, parts, key=found.key, template_id=found.template_id, zone=found.zone)

    def _shown(self, found: StoredCampaign) -> Campaign:
        record = envelope.open_campaign(self._sealer, found.sealed, appid=found.appid, key=found.key)
        own = ("audience", "stored_audience", "content")
        values = {name: getattr(found, name) for name in Campaign.__slots__ if name not in own}
        return Campaign(
            **values,
            audience=read_audience(record["audience"]).described,
            stored_audience=stored_name(record["audience"]),
            content=record["content"],
        )

    def _progress(self, run: Run, counts: Sequence[Count]) -> Progress:
        states = {state: sum(each.jobs for each in counts if each.state is state) for state in JobState}
        closed = sum(jobs for state, jobs in states.items() if state.is_final)
        refused = {
            str(each.reason): each.jobs for each in counts if each.state is JobState.REFUSED and each.reason is not None
        }
        remaining = None if run.recipients is None else max(run.recipients - closed, 0)
        return Progress(
            run=run,
            planned=run.recipients,
            made=run.expanded,
            states=states,
            refused=refused,
            remaining=0 if run.finished_at is not None else remaining,
            finishes_at=self._finishes_at(run, remaining),
        )

    def _finishes_at(self, run: Run, remaining: int | None) -> datetime | None:
        is_going = run.finished_at is None and run.paused_at is None and run.state.ends_jobs is None
        if remaining is None or not is_going:
            return None
        per_second = 1 / self._parts(run.appid).limit().spacing
        now = clock.now()
        spread_out = run.begins_at + run.policies.spread
        return max(spread_out, max(run.begins_at, now) + timedelta(seconds=remaining / per_second))

    def _hold(self, named: str | int, *, is_held: bool) -> int:
        verb = runs.pause if is_held else runs.resume
        if isinstance(named, int):
            found = self.run(named)
            if found.finished_at is not None:
                raise NotPossible(f"the run {named} is {found.state}: there is nothing to hold")
            with self._database.transaction() as connection:
                return verb(connection, run_no=named)
        campaign_no = self._find(named).campaign_no
        with self._database.transaction() as connection:
            stored.hold(connection, campaign_no, is_held=is_held)
            return verb(connection, campaign_no=campaign_no)
