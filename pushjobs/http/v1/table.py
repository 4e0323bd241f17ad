"""Every route of `/v1`, in one table: what is served, and what is documented.

The order counts: of two paths that fit, the first is served.
"""

from http import HTTPStatus

from pushjobs.domain.client import Right
from pushjobs.http.v1 import examples, jobs, operating
from pushjobs.http.v1.campaign_table import ROUTES as CAMPAIGN_ROUTES
from pushjobs.http.v1.problems import (
    CONTENT_REFUSED,
    KEY_REUSED,
    NOT_FOUND,
    NOT_POSSIBLE,
    UNCHECKED,
    UNKNOWN_TEMPLATE,
    WECHAT_REFUSED,
)
from pushjobs.http.v1.routes import Gives, Parameter, Route, Takes
from pushjobs.http.v1.table_words import APPID as _APPID
from pushjobs.http.v1.table_words import UNLESS as _UNLESS
from pushjobs.http.v1.table_words import gives as _gives
from pushjobs.http.v1.table_words import queries as _queries
from pushjobs.http.v1.table_words import takes as _takes

__all__ = ["ROUTES"]

_JOB_ID = Parameter(name="id", place="path", words="The job's number.", schema={"type": "integer"}, example=1201)
_TEMPLATE_ID = Parameter(
    name="template_id", place="path", words="The template.", schema={"type": "string"}, example=examples.TEMPLATE_ID
)
_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    words="For a single job, in place of `idempotency_key` in its body.",
    schema={"type": "string"},
)
_BY_USER = "What is asked by user is a POST: an address stands in the logs of whatever is on the way."
_ITS_STATE = (
    "Its state decides, in the same statement that changes it: 409 where it is past that. No `If-Match` is needed."
)

_JOBS = (
    Route(
        method="POST",
        path="/v1/jobs",
        name="create_jobs",
        summary="Schedule one push, or up to 10,000",
        words="One job is answered with 201, or with 200 where its idempotency key has made it before. A batch is one "
        "transaction, answered with 200 and a report: bad rows are listed and the good ones accepted; what is answered "
        "with a problem has stored nothing. A body has up to 16 MiB; of those beyond 64 KiB few are taken at a time. "
        "Without an idempotency key, a job whose answer was lost may be made twice by asking again.",
        right=Right.WRITE,
        act=jobs.create,
        parameters=(_KEY,),
        takes=Takes(schemas=("NewJob", "Batch"), examples={"one": examples.NEW_JOB, "batch": examples.BATCH}),
        gives=(
            _gives("The job is accepted; `Location` is its address.", "Job", examples.JOB, HTTPStatus.CREATED),
            Gives(
                status=HTTPStatus.OK,
                words="The job that the key made before; or the report of a batch.",
                schemas=("Job", "BatchReport"),
                examples={"known": examples.SENT, "batch": examples.REPORT},
            ),
        ),
        refuses=(UNKNOWN_TEMPLATE, KEY_REUSED, CONTENT_REFUSED, UNCHECKED),
        is_large=True,
        together=jobs.CREATED_TOGETHER,
    ),
    Route(
        method="GET",
        path="/v1/jobs",
        name="list_jobs",
        summary="List jobs, the newest first",
        words=f"Those that match everything given. To go on, give the `next` of a page as `cursor`. {_BY_USER}",
        right=Right.READ,
        act=jobs.find,
        parameters=(
            *_queries("state", "template_id", "reference", "due_after", "due_before", "limit", "cursor", "appid"),
            _UNLESS,
        ),
        gives=(_gives("A page.", "JobPage", examples.PAGE),),
    ),
    Route(
        method="POST",
        path="/v1/jobs/find",
        name="find_jobs",
        summary="List jobs, by user too",
        words=f"As the list, with the filters in the body. {_BY_USER}",
        right=Right.READ,
        act=jobs.find_by_body,
        takes=_takes("Filter", examples.FILTER, is_required=False),
        gives=(_gives("A page.", "JobPage", examples.PAGE),),
    ),
    Route(
        method="POST",
        path="/v1/jobs/cancel",
        name="cancel_jobs",
        summary="Cancel every job that matches",
        words="Those that nobody has begun to send; at least one filter has to be given.",
        right=Right.WRITE,
        act=jobs.cancel_matching,
        takes=_takes("Cancellation", examples.CANCELLATION),
        gives=(_gives("How many there were.", "Cancelled", {"cancelled": 2}),),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{id}",
        name="get_job",
        summary="Look at a job",
        words="What it says, and to whom, is not part of it.",
        right=Right.READ,
        act=jobs.get,
        parameters=(_JOB_ID, _UNLESS),
        gives=(_gives("The job.", "Job", examples.SENT),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{id}/why",
        name="why_job",
        summary="Why a job is where it is",
        words="Which rule holds it, when it is tried next, how it came there: what a worker would find this moment.",
        right=Right.READ,
        act=jobs.why,
        parameters=(_JOB_ID, _UNLESS),
        gives=(_gives("The answer.", "Why", examples.WHY),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/v1/jobs/{id}/history",
        name="job_history",
        summary="What happened to a job",
        words="Beyond the happy path, which writes no history.",
        right=Right.READ,
        act=jobs.history,
        parameters=(_JOB_ID, _UNLESS),
        gives=(_gives("Its entries.", "History", examples.HISTORY),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{id}/cancel",
        name="cancel_job",
        summary="Cancel a job",
        words=f"One that nobody has begun to send. {_ITS_STATE}",
        right=Right.WRITE,
        act=jobs.cancel,
        parameters=(_JOB_ID,),
        gives=(_gives("The job.", "Job", examples.CANCELLED),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{id}/reschedule",
        name="reschedule_job",
        summary="Move a job to another time",
        words=f"One that nobody has begun to send. {_ITS_STATE}",
        right=Right.WRITE,
        act=jobs.reschedule,
        parameters=(_JOB_ID,),
        takes=_takes("Rescheduling", examples.RESCHEDULING),
        gives=(_gives("The job.", "Job", examples.MOVED),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{id}/replay",
        name="replay_job",
        summary="Schedule a dead job again",
        words="Due now, with all its attempts. A job whose deadline has passed needs another, `expires`.",
        right=Right.OPERATE,
        act=jobs.replay,
        parameters=(_JOB_ID,),
        takes=_takes("Replaying", examples.REPLAYING, is_required=False),
        gives=(_gives("The job.", "Job", examples.REPLAYED),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="POST",
        path="/v1/jobs/{id}/resolve",
        name="resolve_job",
        summary="Say what became of a job in doubt",
        words="It arrived, or it is to be sent again: in a minute, for an answer may still come.",
        right=Right.OPERATE,
        act=jobs.resolve,
        parameters=(_JOB_ID,),
        takes=_takes("Resolving", examples.RESOLVING),
        gives=(_gives("The job.", "Job", examples.RESOLVED),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
)

_OPERATING = (
    Route(
        method="GET",
        path="/v1/templates",
        name="list_templates",
        summary="List the app's templates",
        words="As the catalogue has them: read from WeChat by night, and when asked to.",
        right=Right.READ,
        act=operating.templates,
        parameters=(*_APPID, _UNLESS),
        gives=(_gives("The templates.", "Templates", {"templates": [examples.TEMPLATE]}),),
    ),
    Route(
        method="POST",
        path="/v1/templates/sync",
        name="sync_templates",
        summary="Read the app's templates from WeChat",
        words="WeChat allows few such calls a day; each night it is done by itself.",
        right=Right.OPERATE,
        act=operating.sync,
        takes=_takes("Which", examples.WHICH, is_required=False),
        gives=(_gives("How many WeChat lists.", "Synced", {"templates": 12}),),
        refuses=(WECHAT_REFUSED,),
    ),
    Route(
        method="GET",
        path="/v1/templates/mappings",
        name="list_mappings",
        summary="List how legacy templates become others",
        words="A message of a legacy template goes out as a message of the subscribe template it is mapped to.",
        right=Right.READ,
        act=operating.mappings,
        parameters=(*_APPID, _UNLESS),
        gives=(_gives("The mappings.", "LegacyTemplates", examples.MAPPINGS),),
    ),
    Route(
        method="GET",
        path="/v1/templates/{template_id}",
        name="get_template",
        summary="Look at a template",
        words="Its title, and the keywords that a message must fill.",
        right=Right.READ,
        act=operating.template,
        parameters=(_TEMPLATE_ID, *_APPID, _UNLESS),
        gives=(_gives("The template.", "Template", examples.TEMPLATE),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/v1/consents/read",
        name="read_consents",
        summary="What is known of a user's consents",
        words=f"What users said yes to, less what was sent on it. {_BY_USER}",
        right=Right.READ,
        act=operating.consents,
        takes=_takes("User", examples.USER),
        gives=(_gives("The consents.", "Consents", {"consents": [examples.CONSENT]}),),
    ),
    Route(
        method="POST",
        path="/v1/consents/grant",
        name="grant_consent",
        summary="Note that a user said yes",
        words="To so many of a template's messages, or to all of them.",
        right=Right.WRITE,
        act=operating.grant,
        takes=_takes("Granting", examples.GRANTING),
        gives=(_gives("The consent as it stands.", "Consent", examples.CONSENT),),
        refuses=(UNKNOWN_TEMPLATE,),
    ),
    Route(
        method="POST",
        path="/v1/consents/revoke",
        name="revoke_consent",
        summary="Note that a user takes every consent back",
        words="To a template's messages: those that are given are gone.",
        right=Right.WRITE,
        act=operating.revoke,
        takes=_takes("Revoking", examples.REVOKING),
        gives=(_gives("The consent as it stands.", "Consent", examples.NO_CONSENT),),
        refuses=(UNKNOWN_TEMPLATE,),
    ),
    Route(
        method="GET",
        path="/v1/quotas",
        name="app_quota",
        summary="How many calls the app has made today",
        words="Of how many, in Shanghai's day, and who says so.",
        right=Right.READ,
        act=operating.quota,
        parameters=(*_APPID, _UNLESS),
        gives=(_gives("The app's day.", "AppQuota", examples.APP_QUOTA),),
    ),
    Route(
        method="POST",
        path="/v1/quotas/user",
        name="user_quota",
        summary="How many messages a user has had today",
        words=f"Of how many, in the day of the app's zone. {_BY_USER}",
        right=Right.READ,
        act=operating.user_quota,
        takes=_takes("User", examples.USER),
        gives=(_gives("The user's day.", "UserQuota", examples.USER_QUOTA),),
    ),
    Route(
        method="GET",
        path="/v1/pauses",
        name="list_pauses",
        summary="List what is paused",
        words="By operators, by WeChat's limits, by breakers; why, and until when.",
        right=Right.READ,
        act=operating.pauses,
        parameters=(*_APPID, _UNLESS),
        gives=(_gives("The pauses.", "Pauses", {"pauses": [examples.PAUSE]}),),
    ),
    Route(
        method="POST",
        path="/v1/pauses",
        name="pause",
        summary="Hold jobs back",
        words="What is paused keeps its moment, and goes in its old order when it is resumed. A client of some "
        "templates may pause those only.",
        right=Right.OPERATE,
        act=operating.pause,
        takes=_takes("Pausing", examples.PAUSING, is_required=False),
        gives=(_gives("The pause.", "Pause", examples.PAUSE),),
        refuses=(UNKNOWN_TEMPLATE,),
    ),
    Route(
        method="POST",
        path="/v1/pauses/resume",
        name="resume",
        summary="Lift the pauses on exactly this",
        words="Whoever set them, breakers too.",
        right=Right.OPERATE,
        act=operating.resume,
        takes=_takes("Resuming", examples.RESUMING, is_required=False),
        gives=(_gives("How many there were.", "Resumed", {"lifted": 1}),),
        refuses=(UNKNOWN_TEMPLATE, NOT_POSSIBLE),
    ),
    Route(
        method="GET",
        path="/v1/apps",
        name="list_apps",
        summary="List the client's apps",
        words="Those of the installation that the client may send for.",
        right=Right.READ,
        act=operating.apps,
        parameters=(_UNLESS,),
        gives=(_gives("The apps.", "Apps", {"apps": [examples.APP]}),),
    ),
)

ROUTES: tuple[Route, ...] = (*_JOBS, *CAMPAIGN_ROUTES, *_OPERATING)
"""Every route there is."""
