"""Who may do what at `/v1`: keys, rights, apps, templates, rates; and that nothing of another's shows."""

from collections.abc import Iterator

import httpx
import pytest

from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxOptions, SandboxProcess
from tests.conftest import APPID, SECRET
from tests.integration.own_api import MakeClient, client, door, order, problem
from tests.integration.pushes import OPEN_ID
from tests.integration.states import put_into

__all__ = ["client", "door"]

OTHER_APP, OTHER_SECRET = "wxother", "another-secret"


def test_without_a_key_nobody_is_answered(door: httpx.Client, client: MakeClient) -> None:
    """401 and how to say who asks: without a word, with half of it, with another's key; the same for all."""
    key = client().headers["authorization"].removeprefix("Bearer ")
    client_id, _, secret = key.partition(".")
    said = set()
    wrong = [client_id, f"{client_id}.", f"{client_id}.{secret[:-1]}x", f".{secret}", f"pj00.{secret}", "x" * 5000]
    for given in (None, "", "Bearer", f"Basic {key}", *(f"Bearer {each}" for each in wrong)):
        response = door.get("/v1/jobs", headers={} if given is None else {"Authorization": given})
        said.add(problem(response, 401, "unauthorised")["detail"])
        assert response.headers["www-authenticate"].startswith("Bearer")
    assert len(said) == 1
    assert door.get("/v1/jobs", headers={"Authorization": f"bearer {key}"}).status_code == 200


def test_a_client_that_is_revoked_is_nobody(client: MakeClient, runtime: Runtime) -> None:
    """Within a second of the revocation its key is answered with 401."""
    api = client()
    assert api.get("/v1/jobs").status_code == 200
    runtime.clients.revoke("shop")
    answers = (api.get("/v1/jobs").status_code for _ in range(10_000))
    assert 401 in answers


def test_each_route_needs_its_right(client: MakeClient, runtime: Runtime) -> None:
    """403 without it; who may read may not write, who may write may not operate."""
    may = {right: client(right, rights=(right,)) for right in ("read", "write", "operate")}
    job = may["write"].post("/v1/jobs", json=order()).json()
    put_into(runtime, JobState.DEAD, runtime.producer.get(job["id"]))
    for right, method, path, body in [
        ("read", "GET", "/v1/jobs", None),
        ("read", "GET", f"/v1/jobs/{job['id']}", None),
        ("read", "POST", "/v1/quotas/user", {"touser": OPEN_ID}),
        ("write", "POST", "/v1/jobs/cancel", {"reference": "none"}),
        ("write", "POST", "/v1/consents/grant", {"touser": OPEN_ID, "template_id": "news"}),
        ("operate", "POST", f"/v1/jobs/{job['id']}/replay", {}),
        ("operate", "POST", "/v1/pauses", {}),
    ]:
        for name, api in may.items():
            response = api.request(method, path, json=body)
            if name == right:
                assert response.status_code == 200, (method, path, response.text)
            else:
                assert right in problem(response, 403, "forbidden")["detail"]


@pytest.fixture(scope="module")
def sandbox_process() -> Iterator[SandboxProcess]:
    """A sandbox that knows two apps."""
    with SandboxProcess(SandboxOptions(apps={APPID: SECRET, OTHER_APP: OTHER_SECRET})) as running:
        yield running


@pytest.fixture
def two_apps(worker: Runtime) -> Runtime:
    """An installation of two apps."""
    worker.apps.add(OTHER_APP, OTHER_SECRET)
    return worker


def test_another_s_jobs_are_not_there(two_apps: Runtime, client: MakeClient) -> None:
    """What is of another app is answered by number like a number of no job, by every verb, and is in no list."""
    own, others = client("own", apps=(APPID,)), client("others", apps=(OTHER_APP,))
    theirs = others.post("/v1/jobs", json=order()).json()
    assert theirs["appid"] == OTHER_APP
    for method, path, body in [
        ("GET", "", None),
        ("GET", "/why", None),
        ("GET", "/history", None),
        ("POST", "/cancel", None),
        ("POST", "/reschedule", {"time": "2100-12-02 08:00:00"}),
        ("POST", "/replay", None),
        ("POST", "/resolve", {"as": "sent"}),
    ]:
        there = problem(own.request(method, f"/v1/jobs/{theirs['id']}{path}", json=body), 404, "not-found")
        nowhere = problem(own.request(method, f"/v1/jobs/{theirs['id'] + 1}{path}", json=body), 404, "not-found")
        assert there.pop("request_id") != nowhere.pop("request_id")
        assert str(there).replace(str(theirs["id"]), "N") == str(nowhere).replace(str(theirs["id"] + 1), "N")
    assert own.get("/v1/jobs").json()["jobs"] == []
    assert own.post("/v1/jobs/cancel", json={"touser": OPEN_ID}).json() == {"cancelled": 0}
    assert others.get(f"/v1/jobs/{theirs['id']}").json()["state"] == "scheduled"
    assert [each["appid"] for each in own.get("/v1/apps").json()["apps"]] == [APPID]
    del two_apps


def test_another_app_is_none(two_apps: Runtime, client: MakeClient) -> None:
    """An app that is not the client's is refused in the words of one that is none, wherever it is named."""
    own = client("own", apps=(APPID,))
    rows = {"jobs": [order(appid=OTHER_APP), order(appid="wxnone"), order(), order(appid=APPID)]}
    report = own.post("/v1/jobs", json=rows).json()
    assert [made is None for made in report["ids"]] == [True, True, False, False]
    first, second = report["errors"]
    assert (first["fault"], first["rule"]) == (second["fault"], second["rule"])
    for appid in (OTHER_APP, "wxnone"):
        problem(own.post("/v1/jobs", json=order(appid=appid)), 422, "invalid")
        for path in ("/v1/jobs", "/v1/templates", "/v1/quotas", "/v1/pauses"):
            [error] = problem(own.get(path, params={"appid": appid}), 422, "invalid")["errors"]
            assert (error["field"], error["fault"]) == ("appid", first["fault"])
    assert {job.appid for job in two_apps.producer.find()} == {APPID}


def test_another_template_is_none(client: MakeClient, runtime: Runtime) -> None:
    """A client of some templates sends and sees those only; what it cancels by a filter is its own."""
    everybody, narrow = client("everybody"), client("narrow", templates=("news",))
    theirs = everybody.post("/v1/jobs", json=order(template_id="secret")).json()
    ours = everybody.post("/v1/jobs", json=order()).json()
    problem(narrow.get(f"/v1/jobs/{theirs['id']}"), 404, "not-found")
    assert [job["id"] for job in narrow.get("/v1/jobs").json()["jobs"]] == [ours["id"]]
    assert narrow.get("/v1/jobs", params={"template_id": "secret"}).json()["jobs"] == []
    problem(narrow.post("/v1/jobs", json=order(template_id="secret")), 422, "unknown-template")
    report = narrow.post("/v1/jobs", json={"jobs": [order(template_id="secret"), order(2)]}).json()
    assert (report["accepted"], report["errors"][0]["field"]) == (1, "jobs[0].template_id")
    yes = {"touser": OPEN_ID, "template_id": "secret"}
    problem(narrow.post("/v1/consents/grant", json=yes), 422, "unknown-template")
    everybody.post("/v1/consents/grant", json=yes)
    assert narrow.post("/v1/consents/read", json={"touser": OPEN_ID}).json() == {"consents": []}
    assert narrow.post("/v1/jobs/cancel", json={"touser": OPEN_ID}).json() == {"cancelled": 1}
    assert runtime.producer.get(theirs["id"]).state == "scheduled"


def test_a_client_of_some_templates_holds_back_no_others(client: MakeClient) -> None:
    """It pauses and resumes its own template, and not the whole app; another template's pause it does not see."""
    everybody, narrow = client("everybody"), client("narrow", templates=("news",))
    for template_id in ("news", "secret"):
        everybody.post("/v1/jobs", json=order(template_id=template_id))
    problem(narrow.post("/v1/pauses", json={}), 403, "forbidden")
    problem(narrow.post("/v1/pauses", json={"lane": "bulk"}), 403, "forbidden")
    problem(narrow.post("/v1/pauses", json={"template_id": "secret"}), 422, "unknown-template")
    assert narrow.post("/v1/pauses", json={"template_id": "news"}).status_code == 200
    assert everybody.post("/v1/pauses", json={"template_id": "secret"}).status_code == 200
    assert [each["template_id"] for each in narrow.get("/v1/pauses").json()["pauses"]] == ["news"]
    problem(narrow.post("/v1/pauses/resume", json={}), 403, "forbidden")
    assert narrow.post("/v1/pauses/resume", json={"template_id": "news"}).json() == {"lifted": 1}


def test_a_client_has_its_rate(client: MakeClient) -> None:
    """Beyond it comes 429 with the seconds to wait; another client goes on."""
    slow, other = client("slow", per_second=2.0), client("other")
    answers = [slow.get("/v1/jobs") for _ in range(6)]
    refused = next(each for each in answers if each.status_code != 200)
    problem(refused, 429, "too-fast")
    assert int(refused.headers["retry-after"]) >= 1
    assert other.get("/v1/jobs").status_code == 200
