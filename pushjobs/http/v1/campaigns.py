"""`/v1/campaigns` and `/v1/audiences`: what is sent to many again and again, and to whom.

An audience is uploaded or named: a path, a query or an import never comes in here.
"""

from http import HTTPStatus
from typing import Any

from pushjobs.campaigns.audience_files import FileKind, read_stream
from pushjobs.campaigns.definition import CampaignArguments
from pushjobs.errors import AudienceUnread, InvalidInput, NotFound
from pushjobs.http.v1 import campaign_answers as answers
from pushjobs.http.v1.asked import Asked
from pushjobs.http.v1.incoming import Incoming
from pushjobs.http.v1.job_answers import Job
from pushjobs.http.v1.problems import NO_ROWS, Refused
from pushjobs.http.v1.routes import Answer
from pushjobs.permitted import Permitted

__all__ = [
    "MEDIA_TYPES",
    "add",
    "audiences",
    "cancel",
    "delete",
    "delete_audience",
    "edit",
    "get",
    "list_",
    "pause",
    "pause_run",
    "preview",
    "progress",
    "put_audience",
    "rehearse",
    "resume",
    "resume_run",
    "runs",
    "test",
]

MEDIA_TYPES = {"text/csv": FileKind.CSV, "application/x-ndjson": FileKind.JSON_LINES}
"""What an audience may be uploaded as."""

_ARGUMENTS = tuple(CampaignArguments.__annotations__)
_USUAL_INSTANTS, _USUAL_RUNS = 10, 20
_DIGITS = 10


def list_(client: Permitted, asked: Asked) -> Answer:
    """List the client's campaigns."""
    del asked
    return Answer(value=answers.Campaigns(campaigns=[answers.Campaign.of(each) for each in client.campaigns.list()]))


def add(client: Permitted, asked: Asked) -> Answer:
    """Define a campaign."""
    given = asked.fields(("key", "openid", *_ARGUMENTS))
    key, openid = given.pop("key", None), given.pop("openid", None)
    made = client.campaigns.add(key, given, openid=openid)
    headers = {"Location": f"/v1/campaigns/{made.key}"}
    return Answer(value=answers.Campaign.of(made), status=HTTPStatus.CREATED, headers=headers)


def get(client: Permitted, asked: Asked) -> Answer:
    """Look at a campaign."""
    return Answer(value=answers.Campaign.of(client.campaigns.get(asked.path["key"])))


def edit(client: Permitted, asked: Asked) -> Answer:
    """Change what is given of a campaign."""
    openid = asked.fields(("openid", *_ARGUMENTS)).get("openid")
    # With the nulls: each is a default that is wanted back.
    changes = {name: value for name, value in (asked.body or {}).items() if name != "openid"}
    if not changes:
        raise InvalidInput("body", "changes nothing", "say what is to change")
    return Answer(value=answers.Campaign.of(client.campaigns.edit(asked.path["key"], changes, openid=openid)))


def delete(client: Permitted, asked: Asked) -> Answer:
    """Take a campaign out of force."""
    client.campaigns.delete(asked.path["key"])
    return Answer(value=answers.Deleted(deleted=asked.path["key"]))


def preview(client: Permitted, asked: Asked) -> Answer:
    """List the next instants."""
    found = client.campaigns.preview(asked.path["key"], _number(asked, "count", _USUAL_INSTANTS))
    return Answer(value=answers.Preview.of(found))


def rehearse(client: Permitted, asked: Asked) -> Answer:
    """Go through the next run without a call."""
    return Answer(value=answers.Rehearsal.of(client.campaigns.rehearse(asked.path["key"])))


def test(client: Permitted, asked: Asked) -> Answer:
    """Send what the next run would say to one user."""
    touser = asked.fields(("touser",)).get("touser", "")
    job = Job.of(client.campaigns.test(asked.path["key"], touser))
    return Answer(value=job, status=HTTPStatus.CREATED, headers={"Location": f"/v1/jobs/{job.id}"})


def runs(client: Permitted, asked: Asked) -> Answer:
    """List a campaign's runs."""
    found = client.campaigns.runs(asked.path["key"], _number(asked, "limit", _USUAL_RUNS))
    return Answer(value=answers.Runs(runs=[answers.Run.of(each) for each in found]))


def progress(client: Permitted, asked: Asked) -> Answer:
    """Count how far a run is."""
    return Answer(value=answers.Progress.of(client.campaigns.progress(asked.path["key"], _run_no(asked))))


def pause(client: Permitted, asked: Asked) -> Answer:
    """Hold a campaign and its runs."""
    return Answer(value=answers.Held(runs=client.campaigns.hold(asked.path["key"], is_held=True)))


def resume(client: Permitted, asked: Asked) -> Answer:
    """Let a campaign and its runs go on."""
    return Answer(value=answers.Held(runs=client.campaigns.hold(asked.path["key"], is_held=False)))


def pause_run(client: Permitted, asked: Asked) -> Answer:
    """Hold a run."""
    return Answer(value=answers.Held(runs=client.campaigns.hold(asked.path["key"], _run_no(asked), is_held=True)))


def resume_run(client: Permitted, asked: Asked) -> Answer:
    """Let a run go on."""
    return Answer(value=answers.Held(runs=client.campaigns.hold(asked.path["key"], _run_no(asked), is_held=False)))


def cancel(client: Permitted, asked: Asked) -> Answer:
    """Stop a run."""
    return Answer(value=answers.Progress.of(client.campaigns.cancel(asked.path["key"], _run_no(asked))))


def audiences(client: Permitted, asked: Asked) -> Answer:
    """List an app's audiences."""
    found = client.campaigns.audiences(asked.query.get("appid"))
    return Answer(value=answers.Audiences(audiences=[answers.Audience.of(each) for each in found]))


def put_audience(client: Permitted, asked: Asked) -> Answer:
    """Store an audience as it comes."""
    body: Incoming = asked.body
    kind = MEDIA_TYPES.get(body.media_type)
    if kind is None:
        raise Refused(NO_ROWS, f"send it as `Content-Type: {'` or `'.join(MEDIA_TYPES)}`")
    try:
        made = client.campaigns.put_audience(
            asked.query.get("appid"), asked.path["name"], lambda: read_stream("body", kind, body.read)
        )
    except AudienceUnread as unread:
        raise InvalidInput("body", unread.fault, unread.rule) from None
    return Answer(value=answers.Upload.of(made))


def delete_audience(client: Permitted, asked: Asked) -> Answer:
    """Delete an audience."""
    client.campaigns.delete_audience(asked.query.get("appid"), asked.path["name"])
    return Answer(value=answers.Deleted(deleted=asked.path["name"]))


def _run_no(asked: Asked) -> int:
    written = asked.path["run"]
    if not (written.isascii() and written.isdecimal() and len(written) <= _DIGITS):
        raise NotFound("there is no such run")
    return int(written)


def _number(asked: Asked, name: str, usual: int) -> int:
    written: Any = asked.query.get(name)
    if written is None:
        return usual
    if not (written.isascii() and written.isdecimal() and len(written) <= _DIGITS):
        raise InvalidInput(name, "is no number", "give a whole number")
    return int(written)
