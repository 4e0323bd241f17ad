"""What one client may do: the verbs of everybody, within its apps and templates. The one place where that is judged.

Doors that know their client ask here and nowhere else. What a client may not see is not there, in the very words of
what is not: whoever guesses numbers, appids or template ids learns nothing of what is another's.

A client of some templates may hold back those, not the whole app; what is counted for the app as a whole it may read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pushjobs.acceptance import Asked
from pushjobs.apps import KnownApp, no_such_app
from pushjobs.batches import AcceptedJob, Outcome
from pushjobs.campaigns.audiences import read_name, stored_name
from pushjobs.campaigns.campaigns import Campaign, Campaigns, Progress
from pushjobs.campaigns.definition import CampaignArguments, read_key
from pushjobs.campaigns.recipients import Reading
from pushjobs.campaigns.rehearsal import Rehearsal
from pushjobs.campaigns.stored import Uploaded
from pushjobs.catalogue import no_such_template
from pushjobs.connected_app import ConnectedApp
from pushjobs.domain.client import Client, Right
from pushjobs.domain.consent import Consent
from pushjobs.domain.instants import Instant
from pushjobs.domain.job import Job, JobId
from pushjobs.domain.message import has_form_of_touser
from pushjobs.domain.pause import Pause
from pushjobs.domain.translation import Translation
from pushjobs.errors import InvalidInput, Misconfigured, NotFound, NotPermitted, NotPossible
from pushjobs.inspection import AppQuota, Quota, Why
from pushjobs.request import named_app
from pushjobs.runtime import Runtime
from pushjobs.store.audiences import StoredAudience
from pushjobs.store.catalogue import KnownTemplate
from pushjobs.store.jobs import Happening
from pushjobs.store.runs import Run

__all__ = ["Permitted", "PermittedCampaigns"]


class Permitted:
    """The verbs of one client; cheap to make, safe to share between threads.

    `appid` is as the client wrote it, None for the app it means without saying; the other arguments, too, may be
    anything that a body holds: the verbs read them. Raises what the verbs raise.
    """

    def __init__(self, runtime: Runtime, client: Client) -> None:
        self._runtime = runtime
        self._client = client
        self._verbs = runtime.verbs.on_behalf_of(client)

    def require(self, right: Right) -> None:
        """Raise NotPermitted where the client has not the right."""
        if not self._client.may(right):
            raise NotPermitted(f"the client has no right to {right}: whoever runs this installation gives it")

    def apps(self) -> list[KnownApp]:
        """Return the client's apps."""
        return [each.app for each in self._runtime.all_apps() if self._client.may(appid=each.app.appid)]

    def asks_for(self, arguments: Mapping[str, Any]) -> Asked:
        """Return a send as it may be accepted together with others; asks nobody."""
        appid = arguments.get("appid")
        if isinstance(appid, str) and not self._client.may(appid=appid):
            raise no_such_app()
        self._know(arguments.get("template_id"))
        if appid is None and self._client.apps is not None:
            arguments = {**arguments, "appid": self._client.apps[0]}
        return Asked(arguments=arguments, client=self._client)

    def send(self, arguments: Mapping[str, Any]) -> AcceptedJob:
        """Accept one job by itself."""
        return self._verbs.accept(self.asks_for(arguments).arguments)

    def send_batch(self, appid: object, rows: Sequence[Any]) -> list[Outcome]:
        """Accept many jobs in one transaction; return what became of each. `appid`: of the rows that name none."""
        app = self._app(appid)
        judged = [self._judged(row) for row in rows] if self._is_narrow else rows
        return self._verbs.app(app.app.appid).accept_batch(judged)

    def get(self, job_id: JobId) -> Job:
        """Return a job; raises NotFound where there is none that the client may see."""
        job = self._verbs.get(job_id)
        if not self._client.may(appid=job.appid, template_id=job.template_id):
            raise NotFound(f"there is no job {job_id}")
        return job

    def history(self, job_id: JobId) -> list[Happening]:
        """Return what happened to a job beyond the happy path."""
        self.get(job_id)
        return self._verbs.history(job_id)

    def why(self, job_id: JobId) -> Why:
        """Say why a job is where it is."""
        self.get(job_id)
        return self._verbs.why(job_id)

    def find(self, appid: object, filters: Mapping[str, Any], *, limit: int, before: JobId | None) -> list[Job]:
        """Return the newest jobs that match, made before the one of that number."""
        verbs = self._verbs.app(self._app(appid).app.appid)
        return verbs.find(limit=limit, before=before, template_ids=self._client.templates, **filters)

    def cancel(self, job_id: JobId) -> Job:
        """Cancel one job; return it."""
        self.get(job_id)
        self._verbs.cancel(job_id)
        return self._verbs.get(job_id)

    def cancel_matching(self, appid: object, filters: Mapping[str, Any]) -> int:
        """Cancel every job that matches and has not been begun; return how many."""
        verbs = self._verbs.app(self._app(appid).app.appid)
        return verbs.cancel(template_ids=self._client.templates, **filters)

    def reschedule(self, job_id: JobId, *, time: object, expires: object) -> Job:
        """Move a job to another time."""
        self.get(job_id)
        return self._verbs.reschedule(job_id, time=time, expires=expires)

    def replay(self, job_id: JobId, *, expires: object) -> Job:
        """Schedule a dead job again."""
        self._runtime.app(self.get(job_id).appid).operations.replay([job_id], expires=expires)
        return self._verbs.get(job_id)

    def resolve(self, job_id: JobId, *, as_: str, expires: object) -> Job:
        """Say what became of a job in doubt."""
        self._runtime.app(self.get(job_id).appid).operations.resolve([job_id], as_=as_, expires=expires)
        return self._verbs.get(job_id)

    def templates(self, appid: object) -> dict[str, KnownTemplate]:
        """Return the app's templates that are the client's, by id."""
        titles = self._app(appid).catalogue.titles()
        return {key: known for key, known in titles.items() if self._client.may(template_id=key)}

    def mappings(self, appid: object) -> dict[str, Translation]:
        """Return how the client's legacy templates become others, by the legacy ids."""
        found = self._app(appid).parts.mappings.read()
        return {key: each for key, each in found.items() if self._client.may(template_id=key)}

    def sync(self, appid: object) -> int:
        """Read the app's catalogue from WeChat; return how many templates it lists."""
        return self._app(appid).catalogue.sync()

    def grant(self, appid: object, grant: Mapping[str, Any]) -> None:
        """Note that a user said yes."""
        app = self._app(appid)
        self._know(grant.get("template_id"))
        app.parts.ledger.grant_one(grant)

    def revoke(self, appid: object, touser: str, template_id: str) -> None:
        """Note that a user takes back every consent to a template's messages."""
        app = self._app(appid)
        self._know(template_id)
        app.parts.ledger.revoke(touser, template_id)

    def consents(self, appid: object, touser: str) -> dict[str, Consent]:
        """Return what is known of a user's consents to the client's templates."""
        known = self._app(appid).parts.ledger.read(touser)
        return {key: consent for key, consent in known.items() if self._client.may(template_id=key)}

    def quota(self, appid: object, touser: str) -> Quota:
        """Return a user's day."""
        return self._app(appid).inspection.quota(touser)

    def app_quota(self, appid: object) -> AppQuota:
        """Return the app's day."""
        return self._app(appid).inspection.app_quota()

    def pauses(self, appid: object) -> list[Pause]:
        """Return what holds back jobs that may be the client's."""
        found = self._app(appid).operations.pauses()
        return [each for each in found if self._client.may(template_id=each.template_id)]

    def pause(self, appid: object, narrowed: Mapping[str, Any], **terms: Any) -> Pause:  # noqa: ANN401 - the verb reads them
        """Hold jobs back."""
        app = self._app(appid)
        self._require_whole(narrowed.get("template_id"))
        return app.operations.pause(**narrowed, **terms)

    def resume(self, appid: object, narrowed: Mapping[str, Any]) -> int:
        """Lift the pauses on exactly this; return how many."""
        app = self._app(appid)
        self._require_whole(narrowed.get("template_id"))
        return app.operations.resume(**narrowed)

    def set_pace(self, appid: object, per_second: float | None) -> None:
        """Set how many calls the app may make in a second."""
        self._require_whole(None)
        self._app(appid).operations.set_pace(per_second)

    @property
    def campaigns(self) -> "PermittedCampaigns":
        """The verbs of campaigns, and of the audiences that are uploaded for them."""
        return PermittedCampaigns(
            self._runtime.campaigns, self._client, self._app, lambda arguments: self._verbs.send(**arguments)
        )

    @property
    def _is_narrow(self) -> bool:
        return self._client.apps is not None or self._client.templates is not None

    def _app(self, appid: object) -> ConnectedApp:
        """Return the app that is named, or the one that is meant; another's is none."""
        if appid is None:
            return self._meant()
        if isinstance(appid, str) and not self._client.may(appid=appid):
            raise no_such_app()
        return self._runtime.app(appid)

    def _meant(self) -> ConnectedApp:
        if self._client.apps is not None:
            return self._runtime.app(self._client.apps[0])
        try:
            return self._runtime.app()
        except Misconfigured:
            raise InvalidInput("appid", "is missing, and there is no app by default", "name one") from None

    def _know(self, template_id: object) -> None:
        """Refuse a template that is not the client's, as if it were none; what is no id at all is the verb's to say."""
        if isinstance(template_id, str) and template_id and not self._client.may(template_id=template_id):
            raise no_such_template()

    def _judged(self, row: Any) -> Any:  # noqa: ANN401 - whatever a caller put there; the verb judges it
        if not isinstance(row, Mapping):
            return row
        try:
            if isinstance(appid := named_app(row), str) and not self._client.may(appid=appid):
                raise no_such_app()
            self._know(row.get("template_id"))
        except InvalidInput as refusal:
            return refusal
        return row

    def _require_whole(self, template_id: object) -> None:
        if template_id is None and self._client.templates is not None:
            raise NotPermitted("the client is for some templates only: name one of them")
        self._know(template_id)


class PermittedCampaigns:
    """The verbs of campaigns of one client, as `Permitted` has the others.

    A client says to whom only by the name of an audience that was uploaded: paths, queries and imports are for whoever
    is at this machine. So what goes to such a one is neither read nor given another word on a client's behalf.
    """

    def __init__(
        self,
        campaigns: Campaigns,
        client: Client,
        app: Callable[[object], ConnectedApp],
        send: Callable[[Mapping[str, Any]], Job],
    ) -> None:
        """`app` returns the client's app of an appid, or raises; `send` sends one message on the client's behalf."""
        self._campaigns = campaigns
        self._client = client
        self._app = app
        self._send = send

    def list(self) -> Sequence[Campaign]:
        """Return the client's campaigns in force."""
        return [each for each in self._campaigns.list() if self._may(each)]

    def get(self, key: str) -> Campaign:
        """Return a campaign."""
        try:
            found = self._campaigns.get(read_key(key))
        except (InvalidInput, NotFound):
            raise _no_campaign() from None
        if not self._may(found):
            raise _no_campaign()
        return found

    def add(self, key: object, arguments: Mapping[str, Any], *, openid: object) -> Campaign:
        """Define a campaign."""
        judged = self._judged({**arguments, "appid": self._app(arguments.get("appid")).app.appid})
        return self._campaigns.add(read_key(key), openid=_openid(openid), **judged)

    def edit(self, key: str, changes: Mapping[str, Any], *, openid: object) -> Campaign:
        """Change what is given of a campaign, None for the default."""
        found = self.get(key)
        if changes.get("audience") is None:
            _require_stored(found)
        if changes.get("appid") is not None:
            changes = {**changes, "appid": self._app(changes["appid"]).app.appid}
        else:
            changes = {name: value for name, value in changes.items() if name != "appid"}
        return self._campaigns.edit(key, openid=_openid(openid), **self._judged(changes))

    def delete(self, key: str) -> None:
        """Take a campaign out of force."""
        self.get(key)
        self._campaigns.delete(key)

    def preview(self, key: str, count: int) -> Sequence[Instant]:
        """Return a campaign's next instants."""
        self.get(key)
        return self._campaigns.preview(key, count)

    def rehearse(self, key: str) -> Rehearsal:
        """Say who would get the next run, who not and why."""
        _require_stored(self.get(key))
        return self._campaigns.rehearse(key)

    def test(self, key: str, touser: str) -> Job:
        """Send what the next run would say to one user."""
        _require_stored(self.get(key))
        return self._campaigns.test(key, touser, send=self._send)

    def runs(self, key: str, limit: int) -> Sequence[Run]:
        """Return a campaign's runs, the latest first; those of what it was before as far as they are the client's."""
        self.get(key)
        return [each for each in self._campaigns.runs(key, limit=limit) if self._may(each)]

    def going_on(self) -> Sequence[Run]:
        """Return the client's runs that are not finished."""
        return [each for each in self._campaigns.going_on() if self._may(each)]

    def run(self, run_no: int) -> Run:
        """Return a run as it was counted last, whatever its campaign."""
        return self._run(self._campaigns.run(run_no).key, run_no)

    def progress(self, key: str, run_no: int) -> Progress:
        """Count how far a run is."""
        self._run(key, run_no)
        return self._campaigns.progress(run_no)

    def hold(self, key: str, run_no: int | None = None, *, is_held: bool) -> int:
        """Hold, or let go, one run, or a campaign with all of its runs; return how many runs there were."""
        if run_no is None:
            self.get(key)
        else:
            self._run(key, run_no)
        verb = self._campaigns.pause if is_held else self._campaigns.resume
        return verb(key if run_no is None else run_no)

    def cancel(self, key: str, run_no: int) -> Progress:
        """Stop a run; return how far it came."""
        self._run(key, run_no)
        self._campaigns.cancel(run_no)
        return self._campaigns.progress(run_no)

    def audiences(self, appid: object) -> Sequence[StoredAudience]:
        """Return an app's audiences."""
        return self._app(appid).audiences.list()

    def put_audience(self, appid: object, name: object, reading: Callable[[], Reading]) -> Uploaded:
        """Store an audience; nothing is read before it is known that it may be."""
        app = self._app(appid)
        self._require_whole()
        return app.audiences.put(read_name(name), reading())

    def delete_audience(self, appid: object, name: str) -> None:
        """Delete an audience; raises NotFound, NotPermitted where the client is kept to some templates."""
        app = self._app(appid)
        self._require_whole()
        try:
            app.audiences.delete(read_name(name))
        except InvalidInput:
            raise NotFound("there is no audience of that name") from None

    def _may(self, found: Campaign | Run) -> bool:
        return self._client.may(appid=found.appid, template_id=found.template_id)

    def _run(self, key: str, run_no: int) -> Run:
        found = self._campaigns.run(run_no)
        if found.key != key or not self._may(found):
            raise NotFound(f"there is no run {run_no}")
        return found

    def _judged(self, arguments: Mapping[str, Any]) -> CampaignArguments:
        template_id, audience = arguments.get("template_id"), arguments.get("audience")
        if isinstance(template_id, str) and template_id and not self._client.may(template_id=template_id):
            raise no_such_template()
        if audience is not None and stored_name(audience) is None:
            raise InvalidInput("audience", "is no uploaded one", 'upload it, and give {"stored": NAME}')
        return cast("CampaignArguments", dict(arguments))

    def _require_whole(self) -> None:
        if self._client.templates is not None:
            raise NotPermitted("the client is for some templates only: an audience is its whole app's")


def _no_campaign() -> NotFound:
    return NotFound("there is no campaign of that key")


def _require_stored(found: Campaign) -> None:
    if found.stored_audience is None:
        raise NotPossible("the campaign goes to an audience of this installation: `pushjobs campaign` is for that one")


def _openid(value: object) -> str | None:
    if value is None or (isinstance(value, str) and has_form_of_touser(value)):
        return value
    raise InvalidInput("openid", "is no open id", "give that of a user who was just there")
