"""*Campaigns*: which there are and when they run next; one of them, its runs and its rehearsal; one run.

How far a run is stands here as ticks counted it last: nobody counts a million jobs for a page.
"""

from collections.abc import Sequence
from typing import Any

from pushjobs.campaigns.campaigns import Campaign
from pushjobs.campaigns.rehearsal import Rehearsal
from pushjobs.domain.client import Right
from pushjobs.domain.job import Job
from pushjobs.domain.message import read_touser
from pushjobs.errors import InvalidInput, NotFound, NotPermitted, PushJobsError
from pushjobs.http.console.views.holding import back
from pushjobs.http.console.views.now import titles
from pushjobs.http.console.visit import Answer, Moved, Notice, Page, Shown, Visit

__all__ = ["PAGES"]

_PLACE = "campaigns"
_INSTANTS, _RUNS = 10, 20
_AT_ONCE_SECONDS = 2.0
"""How long a rehearsal is waited for: a small audience's is there with the page."""

_DIGITS = 10


def _campaigns(visit: Visit) -> Answer:
    found = visit.may.campaigns.list()
    latest = visit.runtime.campaigns.latest()
    rows = [(each, _preview(visit, each, 2), latest.get(each.key)) for each in found]
    values = {
        "rows": rows,
        "going_on": [visit.runtime.campaigns.counted(run) for run in visit.may.campaigns.going_on()],
        "titles": titles(visit),
    }
    return Shown(template="campaigns.html", values=values)


def _campaign(visit: Visit) -> Answer:
    return _shown(visit)


def _shown(visit: Visit, fault: InvalidInput | None = None) -> Shown:
    campaigns, key = visit.may.campaigns, visit.path["key"]
    found = campaigns.get(key)
    values = {
        "campaign": found,
        "instants": _preview(visit, found, _INSTANTS),
        "runs": [visit.runtime.campaigns.counted(run) for run in campaigns.runs(key, _RUNS)],
        "title": titles(visit).get(found.template_id),
        "may_rehearse": _may_read(visit, found),
        "may_test": _may_read(visit, found) and visit.has(Right.WRITE),
        "rehearsal": _rehearsal(visit),
        "fault": fault,
    }
    return Shown(template="_runs.html" if visit.is_part else "campaign.html", values=values)


def _run(visit: Visit) -> Answer:
    run = visit.may.campaigns.run(_run_no(visit))
    values = {
        "found": visit.runtime.campaigns.counted(run),
        "title": titles(visit).get(run.template_id),
        "is_of_app": run.appid == visit.appid,
    }
    return Shown(template="_run.html" if visit.is_part else "run.html", values=values)


def _hold(visit: Visit, *, is_held: bool) -> Answer:
    """Hold, or let go, a campaign with its runs, or one run of it."""
    key, number = visit.path["key"], visit.field("run")
    run_no = int(number) if number.isascii() and number.isdecimal() and len(number) <= _DIGITS else None
    with visit.noted("pause" if is_held else "resume", campaign=key, run=run_no) as outcome:
        outcome["runs"] = visit.may.campaigns.hold(key, run_no, is_held=is_held)
    notice = Notice(key="notice.campaign_pause" if is_held else "notice.campaign_resume")
    return Moved(to=back(visit, f"/console/campaigns/{key}"), notice=notice)


def _pause(visit: Visit) -> Answer:
    return _hold(visit, is_held=True)


def _resume(visit: Visit) -> Answer:
    return _hold(visit, is_held=False)


def _cancel(visit: Visit) -> Answer:
    """Ask first; then stop the run."""
    run = visit.may.campaigns.run(_run_no(visit))
    if not visit.field("yes"):
        found = visit.runtime.campaigns.counted(run)
        return Shown(template="run_cancel.html", values={"found": found})
    with visit.noted("cancel_run", campaign=run.key, run=run.run_no):
        visit.runtime.campaigns.cancel(run.run_no)
    return Moved(to=f"/console/runs/{run.run_no}", notice=Notice(key="notice.cancel_run"))


def _rehearse(visit: Visit) -> Answer:
    """Begin a rehearsal; where it takes longer than a moment the page asks again until it is done."""
    key = visit.path["key"]
    if not _may_read(visit, visit.may.campaigns.get(key)):
        raise NotPermitted("the audience is this installation's: `pushjobs campaign rehearse` is for that one")
    with visit.noted("rehearse", campaign=key):
        visit.errands.begin(
            visit.client.id, f"rehearse {key}", lambda: visit.runtime.campaigns.rehearse(key), wait=_AT_ONCE_SECONDS
        )
    return _asked_after(visit)


def _asked_after(visit: Visit) -> Answer:
    found = visit.may.campaigns.get(visit.path["key"])
    values = {"campaign": found, "rehearsal": _rehearsal(visit)}
    return Shown(template="_rehearsal.html" if visit.is_part else "rehearsal.html", values=values)


def _rehearsal(visit: Visit) -> dict[str, Any] | None:
    """Return how a rehearsal is: under way, failed, or what it found; None: this process has none."""
    errand = visit.errands.find(visit.client.id, f"rehearse {visit.path['key']}")
    if errand is None:
        return None
    if not errand.future.done():
        return {"seconds": errand.seconds, "found": None, "trouble": None, "samples": ()}
    trouble = errand.future.exception()
    if trouble is not None:
        # A fault of ours is no word for a page; it is in the log, where the thread left it.
        words = str(trouble) if isinstance(trouble, PushJobsError) else visit.words("fault.ours")
        return {"seconds": errand.seconds, "found": None, "trouble": words, "samples": ()}
    found = errand.future.result()
    samples = found.samples if isinstance(found, Rehearsal) and visit.has(Right.CONTENTS) else ()
    return {
        "seconds": errand.seconds,
        "found": found,
        "trouble": None,
        # What messages say is for who may see it.
        "samples": samples,
    }


def _test(visit: Visit) -> Answer:
    """Send what the next run would say to one user, whose open id is not written down."""
    key = visit.path["key"]
    visit.may.require(Right.WRITE)
    found = visit.may.campaigns.get(key)
    if not _may_read(visit, found):
        raise NotPermitted("the audience is this installation's: `pushjobs campaign test` is for that one")
    try:
        touser = read_touser({"touser": visit.field("touser")})
        with visit.noted("test_campaign", campaign=key) as outcome:
            job = visit.runtime.campaigns.test(key, touser, send=_sender(visit))
            outcome["job"] = job.id
    except InvalidInput as refusal:
        return _shown(visit, refusal)
    return Moved(to=f"/console/jobs/{job.id}", notice=Notice(key="notice.test_campaign"))


def _sender(visit: Visit) -> Any:  # noqa: ANN401 - a verb of the producer's, on the client's behalf
    verbs = visit.runtime.verbs.on_behalf_of(visit.client)

    def send(arguments: Any) -> Job:  # noqa: ANN401 - keyword arguments of `send`
        return verbs.send(**arguments)

    return send


def _may_read(visit: Visit, found: Campaign) -> bool:
    """Whether the campaign's audience may be read on the client's behalf.

    One that was uploaded may; one of this installation, a file or a query, for who may see everything of it.
    """
    return found.stored_audience is not None or not visit.is_narrow


def _preview(visit: Visit, campaign: Campaign, count: int) -> Sequence[Any]:
    return () if campaign.next_at is None else visit.may.campaigns.preview(campaign.key, count)


def _run_no(visit: Visit) -> int:
    written = visit.path["run"]
    if not (written.isascii() and written.isdecimal() and len(written) <= _DIGITS):
        raise NotFound("there is no such run")
    return int(written)


PAGES = (
    Page(path="/console/campaigns", view=_campaigns, entry=_PLACE),
    Page(path="/console/campaigns/{key}", view=_campaign, place=_PLACE),
    Page(path="/console/campaigns/{key}/pause", view=_pause, method="POST", place=_PLACE),
    Page(path="/console/campaigns/{key}/resume", view=_resume, method="POST", place=_PLACE),
    Page(path="/console/campaigns/{key}/rehearse", view=_rehearse, method="POST", place=_PLACE),
    Page(path="/console/campaigns/{key}/rehearse", view=_asked_after, place=_PLACE),
    Page(path="/console/campaigns/{key}/test", view=_test, method="POST", place=_PLACE),
    Page(path="/console/runs/{run}", view=_run, place=_PLACE),
    Page(path="/console/runs/{run}/cancel", view=_cancel, method="POST", place=_PLACE),
)
