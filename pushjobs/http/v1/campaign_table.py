"""The routes of campaigns and audiences, a part of `table`."""

from http import HTTPStatus

from pushjobs.domain.client import Right
from pushjobs.http.v1 import campaign_examples as examples
from pushjobs.http.v1 import campaigns
from pushjobs.http.v1.examples import JOB, OPEN_ID
from pushjobs.http.v1.problems import (
    CONTENT_REFUSED,
    NO_ROWS,
    NOT_FOUND,
    NOT_POSSIBLE,
    UNCHECKED,
    UNFETCHED,
    UNKNOWN_TEMPLATE,
)
from pushjobs.http.v1.routes import Parameter, Route, Takes
from pushjobs.http.v1.table_words import APPID, UNLESS, gives, takes

__all__ = ["ROUTES"]

_KEY = Parameter(name="key", place="path", words="The campaign's key.", schema={"type": "string"}, example=examples.KEY)
_RUN = Parameter(name="run", place="path", words="The run's number.", schema={"type": "integer"}, example=7)
_NAME = Parameter(
    name="name",
    place="path",
    words="The audience's name: up to 64 of a-z, 0-9, - and _, with a letter in it.",
    schema={"type": "string"},
    example=examples.AUDIENCE["name"],
)
_MOST = {"type": "integer", "minimum": 1, "maximum": 1000}
_COUNT = Parameter(name="count", place="query", words="How many; 10 if left out.", schema=_MOST)
_LIMIT = Parameter(name="limit", place="query", words="How many at most; 20 if left out.", schema=_MOST)
_BEGUN = "Runs that have begun go on as they were; those that have not are planned anew."
_OURS = "One that goes to an audience of the installation's own, not an uploaded one, is its operators' alone: 409."

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/v1/campaigns",
        name="list_campaigns",
        summary="List the campaigns in force",
        words="Those of the client's apps and templates.",
        right=Right.READ,
        act=campaigns.list_,
        parameters=(UNLESS,),
        gives=(gives("The campaigns.", "Campaigns", {"campaigns": [examples.CAMPAIGN]}),),
    ),
    Route(
        method="POST",
        path="/v1/campaigns",
        name="create_campaign",
        summary="Define a campaign",
        words="What could only fail is refused: an expression that never fires, an audience without a column that the "
        "content asks for, a text that breaks its keyword's rule. Its first instant is the first one from now on. A "
        "key stands for one campaign of the installation.",
        right=Right.WRITE,
        act=campaigns.add,
        takes=takes("NewCampaign", examples.NEW_CAMPAIGN),
        gives=(gives("The campaign; `Location` is its address.", "Campaign", examples.CAMPAIGN, HTTPStatus.CREATED),),
        refuses=(UNKNOWN_TEMPLATE, CONTENT_REFUSED, UNCHECKED),
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{key}",
        name="get_campaign",
        summary="Look at a campaign",
        words="What it is defined with, and its next instant.",
        right=Right.READ,
        act=campaigns.get,
        parameters=(_KEY, UNLESS),
        gives=(gives("The campaign.", "Campaign", examples.CAMPAIGN),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="PATCH",
        path="/v1/campaigns/{key}",
        name="edit_campaign",
        summary="Change what is given of a campaign",
        words=f"{_BEGUN} One that stands in code is changed there: 409. {_OURS}",
        right=Right.WRITE,
        act=campaigns.edit,
        parameters=(_KEY,),
        takes=takes("CampaignChanges", examples.CHANGES),
        gives=(gives("The campaign.", "Campaign", examples.CAMPAIGN),),
        refuses=(NOT_FOUND, NOT_POSSIBLE, UNKNOWN_TEMPLATE, CONTENT_REFUSED, UNCHECKED),
    ),
    Route(
        method="DELETE",
        path="/v1/campaigns/{key}",
        name="delete_campaign",
        summary="Take a campaign out of force",
        words="Runs that have begun go on: cancel them if they should not. Its key is free.",
        right=Right.WRITE,
        act=campaigns.delete,
        parameters=(_KEY,),
        gives=(gives("It is.", "Deleted", {"deleted": examples.KEY}),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{key}/preview",
        name="preview_campaign",
        summary="List a campaign's next instants",
        words="With what clock changes do to them.",
        right=Right.READ,
        act=campaigns.preview,
        parameters=(_KEY, _COUNT, UNLESS),
        gives=(gives("The instants.", "Preview", examples.PREVIEW),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/rehearse",
        name="rehearse_campaign",
        summary="Go through a campaign's next run without a call",
        words="Who would get it, who not and by which rule, how long it takes. Nothing is stored or sent. Two of these "
        f"and of uploads are in work at a time in one process. {_OURS}",
        right=Right.READ,
        act=campaigns.rehearse,
        parameters=(_KEY,),
        gives=(gives("The run as it would be.", "Rehearsal", examples.REHEARSAL),),
        refuses=(NOT_FOUND, NOT_POSSIBLE, UNFETCHED),
        is_long=True,
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/test",
        name="test_campaign",
        summary="Send what the next run would say to one user",
        words="Now, as a job of the client's; where each has a content of its own, by the user's row of the audience, "
        f"or by its first. {_OURS}",
        right=Right.WRITE,
        act=campaigns.test,
        parameters=(_KEY,),
        takes=takes("TestSend", {"touser": OPEN_ID}),
        gives=(gives("The job; `Location` is its address.", "Job", JOB, HTTPStatus.CREATED),),
        refuses=(NOT_FOUND, NOT_POSSIBLE, UNFETCHED, UNKNOWN_TEMPLATE, CONTENT_REFUSED, UNCHECKED),
        is_long=True,
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/pause",
        name="pause_campaign",
        summary="Hold a campaign and all of its runs",
        words="Their jobs keep their moments. Instants that pass meanwhile are not made up for.",
        right=Right.OPERATE,
        act=campaigns.pause,
        parameters=(_KEY,),
        gives=(gives("How many runs are held.", "Held", {"runs": 1}),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/resume",
        name="resume_campaign",
        summary="Let a campaign and all of its runs go on",
        words="From now on.",
        right=Right.OPERATE,
        act=campaigns.resume,
        parameters=(_KEY,),
        gives=(gives("How many runs go on.", "Held", {"runs": 1}),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{key}/runs",
        name="list_runs",
        summary="List a campaign's runs, the latest first",
        words="As they were counted last.",
        right=Right.READ,
        act=campaigns.runs,
        parameters=(_KEY, _LIMIT, UNLESS),
        gives=(gives("The runs.", "Runs", {"runs": [examples.RUN]}),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/v1/campaigns/{key}/runs/{run}",
        name="get_run",
        summary="Count how far a run is",
        words="This moment: planned, made, by state and reason, when it is done. Runs of a deleted campaign stay.",
        right=Right.READ,
        act=campaigns.progress,
        parameters=(_KEY, _RUN, UNLESS),
        gives=(gives("How far it is.", "Progress", examples.PROGRESS),),
        refuses=(NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/runs/{run}/pause",
        name="pause_run",
        summary="Hold a run",
        words="Its jobs keep their moments; takes hold within a second or two.",
        right=Right.OPERATE,
        act=campaigns.pause_run,
        parameters=(_KEY, _RUN),
        gives=(gives("1, or 0 where it was held.", "Held", {"runs": 1}),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/runs/{run}/resume",
        name="resume_run",
        summary="Let a run go on",
        words="Its jobs leave in their old order.",
        right=Right.OPERATE,
        act=campaigns.resume_run,
        parameters=(_KEY, _RUN),
        gives=(gives("1, or 0 where it was not held.", "Held", {"runs": 1}),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="POST",
        path="/v1/campaigns/{key}/runs/{run}/cancel",
        name="cancel_run",
        summary="Stop a run",
        words="What of it nobody has begun to send is not sent; takes hold within a second or two.",
        right=Right.OPERATE,
        act=campaigns.cancel,
        parameters=(_KEY, _RUN),
        gives=(gives("How far it came.", "Progress", examples.STOPPED),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
    Route(
        method="GET",
        path="/v1/audiences",
        name="list_audiences",
        summary="List the app's uploaded audiences",
        words="Who is in them is told to nobody.",
        right=Right.READ,
        act=campaigns.audiences,
        parameters=(*APPID, UNLESS),
        gives=(gives("The audiences.", "Audiences", {"audiences": [examples.AUDIENCE]}),),
    ),
    Route(
        method="PUT",
        path="/v1/audiences/{name}",
        name="put_audience",
        summary="Upload an audience",
        words="Up to 64 MiB, read as it comes, within ten minutes. It takes the place of what has its name at its end, "
        "all at once: a run that has begun to read the old one reads it to its end, and one that is cut off or refused "
        "leaves the old one. Rows that are no recipients are counted, the first hundred told. Its open ids and columns "
        "are kept encrypted. A client of some templates only may not.",
        right=Right.WRITE,
        act=campaigns.put_audience,
        parameters=(_NAME, *APPID),
        takes=Takes(schemas=("AudienceRows",), examples=examples.ROWS, media_types=tuple(campaigns.MEDIA_TYPES)),
        gives=(gives("The audience as it is in force now.", "Upload", examples.UPLOAD),),
        refuses=(NOT_POSSIBLE, NO_ROWS),
        is_long=True,
        is_streamed=True,
    ),
    Route(
        method="DELETE",
        path="/v1/audiences/{name}",
        name="delete_audience",
        summary="Delete an uploaded audience",
        words="409 while a campaign goes to it. Its rows are gone within an hour, for a run may be reading them.",
        right=Right.WRITE,
        act=campaigns.delete_audience,
        parameters=(_NAME, *APPID),
        gives=(gives("It is.", "Deleted", {"deleted": examples.AUDIENCE["name"]}),),
        refuses=(NOT_FOUND, NOT_POSSIBLE),
    ),
)
"""Every route of campaigns and audiences."""
