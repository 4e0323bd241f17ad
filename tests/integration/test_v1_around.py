"""What stands around the jobs at `/v1`: templates, consents, quotas, pauses, apps."""

import httpx

from pushjobs.http.v1.document import document
from pushjobs.http.v1.table import ROUTES
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.conftest import APPID
from tests.integration.own_api import api, client, door, order, problem
from tests.integration.pushes import OPEN_ID

__all__ = ["api", "client", "door"]


def test_templates_are_read_and_looked_at(worker: Runtime, api: httpx.Client) -> None:
    """A sync reads them from WeChat; each is listed with its keywords, and one that is none is not there."""
    assert api.get("/v1/templates").json() == {"templates": []}
    problem(api.get(f"/v1/templates/{DAILY_NEWS}"), 404, "not-found")
    count = api.post("/v1/templates/sync").json()["templates"]
    listed = api.get("/v1/templates").json()["templates"]
    assert len(listed) == count == len(worker.catalogue.titles())
    found = api.get(f"/v1/templates/{DAILY_NEWS}").json()
    assert found in listed
    assert [each["key"] for each in found["keywords"]] == ["thing1", "thing2", "date3"]
    problem(api.post("/v1/jobs", json=order(template_id="none")), 422, "unknown-template")


def test_wechat_s_refusal_is_told(sandbox: SandboxClient, api: httpx.Client) -> None:
    """A code of WeChat's is a bad gateway's, with its meaning; what is asked wrongly is not asked at all."""
    sandbox.order_fault("errcode", {"path": "/wxaapi/newtmpl/gettemplate"}, errcode=45009)
    assert "45009" in problem(api.post("/v1/templates/sync"), 502, "wechat-refused")["detail"]
    problem(api.post("/v1/templates/sync", json={"appid": "wxnone"}), 422, "invalid")
    problem(api.post("/v1/templates/sync", json={"app": APPID}), 422, "invalid")


def test_an_unreachable_wechat_is_told_without_its_address(api: httpx.Client) -> None:
    """503 and when to ask again; where WeChat was looked for is for the log."""
    response = api.post("/v1/templates/sync")
    assert "127.0.0.1" not in str(problem(response, 503, "unreachable"))
    assert response.headers["retry-after"] == "1"


def test_legacy_templates_say_what_they_become(worker: Runtime, api: httpx.Client) -> None:
    """Each mapping is listed with its keywords."""
    worker.catalogue.sync()
    keywords = {"keyword1": "thing1", "keyword2": "thing2", "keyword3": "date3", "keyword4": None}
    worker.producer.map_template("old", DAILY_NEWS, keywords, shorten=True)
    assert api.get("/v1/templates/mappings").json()["mappings"] == [
        {"legacy_id": "old", "template_id": DAILY_NEWS, "keywords": keywords, "shortens": True}
    ]


def test_consents_are_granted_read_and_revoked(api: httpx.Client) -> None:
    """Each answer is the consent as it stands; a user of whom nothing is known has none."""
    which = {"touser": OPEN_ID, "template_id": "news"}
    assert api.post("/v1/consents/read", json={"touser": OPEN_ID}).json() == {"consents": []}
    granted = api.post("/v1/consents/grant", json=which | {"credits": 2}).json()
    assert granted == {"template_id": "news", "credits": 2, "held": 0, "is_standing": False}
    assert api.post("/v1/consents/grant", json=which | {"standing": True}).json()["is_standing"] is True
    assert api.post("/v1/consents/revoke", json=which).json() == granted | {"credits": 0}
    assert len(api.post("/v1/consents/read", json={"touser": OPEN_ID}).json()["consents"]) == 1


def test_a_grant_that_cannot_be_read_is_refused(api: httpx.Client) -> None:
    """Field, fault and rule are the ledger's own."""
    which: dict[str, object] = {"touser": OPEN_ID, "template_id": "news"}
    grants: list[tuple[dict[str, object], str]] = [
        ({"credits": 0}, "credits"),
        ({"credits": True}, "credits"),
        ({"credits": "1"}, "credits"),
        ({"standing": "yes"}, "standing"),
        ({"touser": 7}, "touser"),
        ({"touser": None}, "touser"),
        ({"template_id": None}, "template_id"),
        ({"template_id": ["news"]}, "template_id"),
        ({"amount": 1}, "amount"),
    ]
    for more, field in grants:
        [error] = problem(api.post("/v1/consents/grant", json=which | more), 422, "invalid")["errors"]
        assert error["field"] == field
    for path in ("/v1/consents/read", "/v1/consents/revoke", "/v1/quotas/user"):
        problem(api.post(path, json={}), 422, "invalid")
        problem(api.post(path, json=[OPEN_ID]), 422, "invalid")
        assert OPEN_ID not in api.post(path, json={"touser": [OPEN_ID]}).text


def test_quotas_are_read(api: httpx.Client) -> None:
    """The app's day by its appid, a user's by the body."""
    app = api.get("/v1/quotas", params={"appid": APPID}).json()
    assert (app["used"], app["source"]) == (0, "documented")
    user = api.post("/v1/quotas/user", json={"touser": OPEN_ID}).json()
    assert (user["sent"], user["held"], user["cap"]) == (0, 0, None)


def test_what_is_paused_is_listed_until_it_is_resumed(api: httpx.Client) -> None:
    """A template, a lane or the app; what is not paused cannot be resumed."""
    api.post("/v1/jobs", json=order())
    made = api.post("/v1/pauses", json={"template_id": "news", "note": "wording", "until": "2100-12-01 08:00:00"})
    assert (made.status_code, made.json()["until"], made.json()["note"]) == (200, "2100-12-01T00:00:00Z", "wording")
    assert api.post("/v1/pauses", json={"lane": "bulk"}).json()["lane"] == "bulk"
    assert api.post("/v1/pauses").json()["template_id"] is None
    assert len(api.get("/v1/pauses").json()["pauses"]) == 3
    assert api.post("/v1/pauses/resume", json={"template_id": "news"}).json() == {"lifted": 1}
    problem(api.post("/v1/pauses/resume", json={"template_id": "news"}), 409, "not-possible")
    assert api.post("/v1/pauses/resume").json() == {"lifted": 1}
    for body in ({"lane": "slow"}, {"note": 7}, {"until": "2000-12-01 08:00:00"}, {"template": "news"}):
        problem(api.post("/v1/pauses", json=body), 422, "invalid")


def test_the_api_says_what_it_is(door: httpx.Client) -> None:
    """The document and its page are there for everybody, hold nothing of this installation, and load nothing."""
    page, found = door.get("/docs"), door.get("/openapi.json")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert found.json() == document(ROUTES)
    assert APPID not in page.text + found.text


def test_apps_are_listed_without_their_secrets(api: httpx.Client) -> None:
    """What a client needs to know of an app: its zone and its limits."""
    response = api.get("/v1/apps")
    assert response.json()["apps"] == [
        {
            "appid": APPID,
            "is_default": True,
            "timezone": "Asia/Shanghai",
            "daily_quota": None,
            "quiet_hours": None,
            "resume_hour": 9,
        }
    ]
    assert "secret" not in response.text
