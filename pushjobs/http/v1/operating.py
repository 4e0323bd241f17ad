"""Templates, consents, quotas, pauses and apps: what stands around the jobs."""

from typing import Any

from pushjobs.errors import NotFound
from pushjobs.http.v1 import answers
from pushjobs.http.v1.asked import Asked
from pushjobs.http.v1.routes import Answer
from pushjobs.permitted import Permitted

__all__ = [
    "apps",
    "consents",
    "grant",
    "mappings",
    "pause",
    "pauses",
    "quota",
    "resume",
    "revoke",
    "sync",
    "template",
    "templates",
    "user_quota",
]


def apps(client: Permitted, asked: Asked) -> Answer:
    """List the client's apps."""
    del asked
    found = [
        answers.App(
            appid=each.appid,
            is_default=each.is_default,
            timezone=each.settings.timezone,
            daily_quota=each.settings.daily_quota,
            quiet_hours=each.settings.quiet_hours,
            resume_hour=each.settings.resume_hour,
        )
        for each in client.apps()
    ]
    return Answer(value=answers.Apps(apps=found))


def templates(client: Permitted, asked: Asked) -> Answer:
    """List the app's templates."""
    found = client.templates(asked.query.get("appid"))
    return Answer(value=answers.Templates(templates=[answers.Template.of(key, each) for key, each in found.items()]))


def template(client: Permitted, asked: Asked) -> Answer:
    """Return one template."""
    template_id = asked.path["template_id"]
    found = client.templates(asked.query.get("appid")).get(template_id)
    if found is None:
        raise NotFound("there is no template of that id in the app's catalogue")
    return Answer(value=answers.Template.of(template_id, found))


def sync(client: Permitted, asked: Asked) -> Answer:
    """Read the catalogue from WeChat."""
    return Answer(value=answers.Synced(templates=client.sync(asked.fields(("appid",)).get("appid"))))


def mappings(client: Permitted, asked: Asked) -> Answer:
    """List how legacy templates become others."""
    found = client.mappings(asked.query.get("appid"))
    return Answer(value=answers.LegacyTemplates.of(found))


def consents(client: Permitted, asked: Asked) -> Answer:
    """Return what is known of a user's consents."""
    given = asked.fields(("touser", "appid"))
    found = client.consents(given.get("appid"), given.get("touser", ""))
    return Answer(value=answers.Consents(consents=[answers.Consent.of(key, each) for key, each in found.items()]))


def grant(client: Permitted, asked: Asked) -> Answer:
    """Note that a user said yes."""
    given = asked.fields(("touser", "template_id", "credits", "standing", "appid"))
    appid = given.pop("appid", None)
    client.grant(appid, given)
    return _consent(client, appid, given)


def revoke(client: Permitted, asked: Asked) -> Answer:
    """Note that a user takes every consent back."""
    given = asked.fields(("touser", "template_id", "appid"))
    appid = given.pop("appid", None)
    client.revoke(appid, given.get("touser", ""), given.get("template_id", ""))
    return _consent(client, appid, given)


def quota(client: Permitted, asked: Asked) -> Answer:
    """Return the app's day."""
    return Answer(value=answers.AppQuota.of(client.app_quota(asked.query.get("appid"))))


def user_quota(client: Permitted, asked: Asked) -> Answer:
    """Return a user's day."""
    given = asked.fields(("touser", "appid"))
    return Answer(value=answers.UserQuota.of(client.quota(given.get("appid"), given.get("touser", ""))))


def pauses(client: Permitted, asked: Asked) -> Answer:
    """List what is paused."""
    found = client.pauses(asked.query.get("appid"))
    return Answer(value=answers.Pauses(pauses=[answers.Pause.of(each) for each in found]))


def pause(client: Permitted, asked: Asked) -> Answer:
    """Hold jobs back."""
    given = asked.fields(("template_id", "lane", "note", "until", "appid"))
    narrowed = _narrowed(given)
    made = client.pause(given.get("appid"), narrowed, note=given.get("note"), until=given.get("until"))
    return Answer(value=answers.Pause.of(made))


def resume(client: Permitted, asked: Asked) -> Answer:
    """Lift pauses."""
    given = asked.fields(("template_id", "lane", "appid"))
    return Answer(value=answers.Resumed(lifted=client.resume(given.get("appid"), _narrowed(given))))


def _narrowed(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("template_id", "lane") if name in given}


def _consent(client: Permitted, appid: object, given: dict[str, Any]) -> Answer:
    template_id = given["template_id"]
    return Answer(value=answers.Consent.of(template_id, client.consents(appid, given["touser"])[template_id]))
