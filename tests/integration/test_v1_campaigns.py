"""`/v1/campaigns`, defined, rehearsed, watched and stopped over HTTP; `/v1/audiences`, uploaded for them."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pushjobs import clock
from pushjobs.domain.client import Right
from pushjobs.http.v1.campaigns import MEDIA_TYPES
from pushjobs.http.v1.table import ROUTES
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxOptions, SandboxProcess
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.acceptance.installation import wait_for
from tests.conftest import APPID, SECRET
from tests.integration.campaigns.hands import NEWS, audience, only_run, plan_at, readers
from tests.integration.hands import ask, claim, deliver, let_due
from tests.integration.own_api import MakeClient, api, client, door, problem
from tests.integration.pushes import OPEN_ID

__all__ = ["api", "client", "door"]

OTHER_APP, OTHER_SECRET = "wxother", "another-secret"
CSV = {"Content-Type": "text/csv; charset=utf-8"}
WANTED: dict[str, Any] = {"key": "news", **NEWS, "cron": "0 8 29 2 *", "audience": {"stored": "readers"}}
"""Fired by no clock while a test runs: its instants are planned by hand."""


def put(api: httpx.Client, *tousers: str, name: str = "readers", **params: str) -> httpx.Response:
    """Upload open ids."""
    body = "touser\n" + "".join(f"{each}\n" for each in tousers)
    return api.put(f"/v1/audiences/{name}", content=body.encode(), headers=CSV, params=params)


def test_a_campaign_from_its_audience_to_its_end(sandbox: SandboxClient, api: httpx.Client, runtime: Runtime) -> None:
    """Everything an owner does with a campaign can be done over HTTP; its jobs reach the users, once each."""
    made = put(api, *readers(20), "o r").json()
    assert (made["audience"]["recipients"], made["audience"]["rejected"]) == (20, 1)
    assert [each["number"] for each in made["faults"]] == [21]
    assert api.get("/v1/audiences").json()["audiences"] == [made["audience"]]
    response = api.post("/v1/campaigns", json=WANTED | {"spread": "30m"})
    assert (response.status_code, response.headers["location"]) == (201, "/v1/campaigns/news")
    found = api.get("/v1/campaigns/news").json()
    assert (found, found["spread"], found["audience"]) == (response.json(), "1800s", {"stored": "readers"})
    assert api.get("/v1/campaigns").json()["campaigns"] == [found]
    changed = api.patch("/v1/campaigns/news", json={"spread": None, "cron": "30 8 29 2 *", "grace": found["grace"]})
    assert (changed.json()["spread"], changed.json()["cron"]) == ("0s", "30 8 29 2 *")
    assert len(api.get("/v1/campaigns/news/preview", params={"count": 3}).json()["instants"]) == 3
    assert api.post("/v1/campaigns/news/rehearse").json()["gets"] == 20
    tried = api.post("/v1/campaigns/news/test", json={"touser": "oColleague"})
    assert (tried.status_code, tried.json()["client"]) == (201, "shop")
    assert api.get(tried.headers["location"]).json()["id"] == tried.json()["id"]

    plan_at(runtime, clock.now() + timedelta(seconds=40))
    runtime.ticking.expand()
    runtime.ticking.tick()
    runtime.ticking.tick()
    [run] = api.get("/v1/campaigns/news/runs").json()["runs"]
    address = f"/v1/campaigns/news/runs/{run['run']}"
    assert api.post(f"{address}/pause").json() == {"runs": 1}
    assert api.post(f"{address}/resume").json() == {"runs": 1}
    assert api.post("/v1/campaigns/news/pause").json() == {"runs": 1}
    assert api.get("/v1/campaigns/news").json()["paused_at"] is not None
    assert api.post("/v1/campaigns/news/resume").json() == {"runs": 1}
    let_due(runtime)
    deliver(runtime, claim(runtime, limit=15))
    progress = api.get(address).json()
    assert (progress["states"]["sent"], sum(progress["states"].values())) == (15, 20)
    stopped = api.post(f"{address}/cancel").json()
    assert (stopped["run"]["state"], stopped["run"]["reason"]) == ("cancelled", "requested")
    problem(api.post(f"{address}/cancel"), 409, "not-possible")
    assert api.delete("/v1/campaigns/news").json() == {"deleted": "news"}
    assert api.get(address).json()["run"]["state"] == "cancelled"
    assert api.delete("/v1/audiences/readers").json() == {"deleted": "readers"}
    assert sandbox.summary().accepted == 15
    problem(api.get("/v1/campaigns/news"), 404, "not-found")


NO_AUDIENCES: list[object] = [
    {"file": "/etc/passwd"},
    {"sql": "SELECT 'oReader' AS touser", "url": "sqlite:////tmp/x.db"},
    {"iterable": "os:environ"},
    {"stored": "readers", "file": "/etc/passwd"},
    {"stored": 7},
    {"stored": ["readers"]},
    "readers",
    [],
]


def test_an_audience_is_named_never_a_path_a_query_or_an_import(api: httpx.Client) -> None:
    """Whatever else it is, it is refused where it is defined and where it is changed, and nothing is opened."""
    put(api, "oReader1")
    for no_audience in NO_AUDIENCES:
        body = WANTED | {"audience": no_audience}
        [error] = problem(api.post("/v1/campaigns", json=body), 422, "invalid")["errors"]
        assert error["field"] == "audience"
    assert api.post("/v1/campaigns", json=WANTED).status_code == 201
    for no_audience in NO_AUDIENCES:
        problem(api.patch("/v1/campaigns/news", json={"audience": no_audience}), 422, "invalid")
    assert api.get("/v1/campaigns/news").json()["audience"] == {"stored": "readers"}


def test_what_goes_to_the_installation_s_own_is_its_operators(
    api: httpx.Client, runtime: Runtime, tmp_path: Path
) -> None:
    """A campaign to a file is seen without its path, and neither read nor changed over HTTP until it has another."""
    runtime.campaigns.add("news", **{**NEWS, "audience": audience(tmp_path, readers(3))})
    response = api.get("/v1/campaigns/news")
    assert response.json()["audience"] is None
    assert str(tmp_path) not in response.text
    for method, path, body in [
        ("POST", "/rehearse", None),
        ("POST", "/test", {"touser": OPEN_ID}),
        ("PATCH", "", {"cron": "0 9 * * *"}),
        ("PATCH", "", {"audience": None}),
    ]:
        refused = api.request(method, f"/v1/campaigns/news{path}", json=body)
        assert str(tmp_path) not in str(problem(refused, 409, "not-possible"))
    put(api, "oReader1")
    assert api.patch("/v1/campaigns/news", json={"audience": {"stored": "readers"}}).status_code == 200
    assert api.post("/v1/campaigns/news/rehearse").json()["users"] == 1


DOOMED: list[tuple[dict[str, Any], str]] = [
    ({"cron": "never"}, "cron"),
    ({"cron": 7}, "cron"),
    ({"zone": ["Asia/Shanghai"]}, "zone"),
    ({"key": "Daily News"}, "key"),
    ({"key": None}, "key"),
    ({"template_id": 7}, "template_id"),
    ({"audience": {"stored": "nobody"}}, "audience.stored"),
    ({"audience": {"stored": "N\0"}}, "audience.stored"),
    ({"content": {"data": NEWS["content"]["data"] | {"thing1": "{nickname}"}}}, "audience.stored"),
    ({"content": "news"}, "content"),
    ({"content": {**NEWS["content"], "feed": {"url": "file:///etc/passwd"}}}, "content"),
    ({"spread": 30}, "spread"),
    ({"lane": ["bulk"]}, "lane"),
    ({"missed": {}}, "missed"),
    ({"name": "x" * 101}, "name"),
    ({"openid": 7}, "openid"),
    ({"at": "08:00"}, "at"),
    ({"appid": "wxnone"}, "appid"),
]


def test_what_could_only_fail_is_refused(api: httpx.Client) -> None:
    """With field, fault and rule, and nothing is stored."""
    put(api, "oReader1")
    for more, field in DOOMED:
        [error] = problem(api.post("/v1/campaigns", json=WANTED | more), 422, "invalid")["errors"]
        assert error["field"].startswith(field)
    assert api.get("/v1/campaigns").json() == {"campaigns": []}


def test_what_is_not_there_is_not_found(api: httpx.Client) -> None:
    """Keys, runs and audiences of nothing, however they are written, and figures that are none."""
    for key in ("none", "None", "a%00b", "7"):
        problem(api.get(f"/v1/campaigns/{key}"), 404, "not-found")
        problem(api.delete(f"/v1/audiences/{key}"), 404, "not-found")
        problem(api.patch(f"/v1/campaigns/{key}", json={"name": "x"}), 404, "not-found")
        for run in ("1", "x", "-1", "99999999999999999999", "2147483648"):
            problem(api.get(f"/v1/campaigns/{key}/runs/{run}"), 404, "not-found")
    put(api, "oReader1")
    api.post("/v1/campaigns", json=WANTED)
    for path in ("preview?count=0", "preview?count=x", "preview?count=1001", "runs?limit=0", "runs?limit=-1"):
        problem(api.get(f"/v1/campaigns/news/{path}"), 422, "invalid")
    problem(api.patch("/v1/campaigns/news", json={}), 422, "invalid")
    problem(api.patch("/v1/campaigns/news"), 422, "invalid")
    problem(api.patch("/v1/campaigns/news", json=[]), 422, "invalid")
    problem(api.post("/v1/campaigns/news/test", json={}), 422, "invalid")
    problem(api.delete("/v1/audiences/readers"), 409, "not-possible")


def test_a_declared_campaign_is_changed_in_code(api: httpx.Client, runtime: Runtime) -> None:
    """It is seen, paused and rehearsed, and neither edited nor deleted."""
    put(api, "oReader1")
    assert runtime.campaigns.declare({"news": {**NEWS, "audience": {"stored": "readers"}}})
    assert api.get("/v1/campaigns/news").json()["is_declared"] is True
    problem(api.patch("/v1/campaigns/news", json={"name": "x"}), 409, "not-possible")
    problem(api.delete("/v1/campaigns/news"), 409, "not-possible")
    assert api.post("/v1/campaigns/news/pause").json() == {"runs": 0}


def test_each_route_needs_its_right(client: MakeClient) -> None:
    """Who may read may not write, who may write may not operate, of every route of these."""
    may = {right: client(right, rights=(right,)) for right in ("read", "write", "operate")}
    for route in ROUTES:
        if route.room not in {"campaigns", "audiences"}:
            continue
        path = route.path.format(key="none", run=1, name="none")
        for right, caller in may.items():
            status = caller.request(route.method, path).status_code
            assert (status == 403) == (Right(right) is not route.right), (route.name, right, status)


def test_json_lines_are_taken_too(api: httpx.Client, runtime: Runtime) -> None:
    """By what the body says it is; what says neither is refused, and what is no table too."""
    lines = b'{"touser": "oReader1", "nickname": "x"}\n{"touser": 7}\n"oReader2"\n'
    for number, media_type in enumerate(MEDIA_TYPES):
        body = lines if number else b"touser\noReader1\n"
        assert api.put("/v1/audiences/readers", content=body, headers={"Content-Type": media_type}).status_code == 200
    assert api.get("/v1/audiences").json()["audiences"][0]["recipients"] == 2
    problem(api.put("/v1/audiences/readers", content=lines), 415, "no-rows")
    problem(api.put("/v1/audiences/readers", json=["oReader1"]), 415, "no-rows")
    for body in (b"", b"name\nx\n", b"touser\n", b'touser\n"open\n\n', b"\xff\xfe\0", b"touser\no r\n"):
        [error] = problem(api.put("/v1/audiences/readers", content=body, headers=CSV), 422, "invalid")["errors"]
        assert error["field"] == "body"
    problem(put(api, "oReader1", name="Readers"), 422, "invalid")
    problem(put(api, "oReader1", appid="wxnone"), 422, "invalid")
    assert api.get("/v1/audiences").json()["audiences"][0]["recipients"] == 2
    assert ask(runtime, "SELECT count(*) FROM pushjobs.audiences WHERE replaced_at IS NULL") == [(1,)]


def test_a_large_audience_is_read_as_it_comes(api: httpx.Client) -> None:
    """What is longer than any other body is taken in pieces, said how long or not; beyond 64 MiB it is refused."""
    tousers = readers(40_000)
    assert put(api, *tousers).json()["audience"]["recipients"] == 40_000

    def pieces() -> Iterator[bytes]:
        yield b"touser\n"
        for each in tousers:
            yield f"{each}\n".encode()

    chunked = api.put("/v1/audiences/readers", content=pieces(), headers=CSV)
    assert chunked.json()["audience"]["recipients"] == 40_000
    host, port = api.base_url.host, api.base_url.port
    assert port is not None
    with socket.create_connection((host, port)) as connection:
        head = f"PUT /v1/audiences/readers HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['authorization']}\r\n"
        connection.sendall(f"{head}Content-Type: text/csv\r\nContent-Length: {64 * 1024 * 1024 + 1}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_an_upload_that_is_cut_off_leaves_the_old_one(api: httpx.Client, runtime: Runtime) -> None:
    """Who hangs up in the middle has replaced nothing, and what came of it is left to be pruned."""
    put(api, "oReader1")
    host, port = api.base_url.host, api.base_url.port
    assert port is not None
    with socket.create_connection((host, port)) as connection:
        head = f"PUT /v1/audiences/readers HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['authorization']}\r\n"
        connection.sendall(f"{head}Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\ntouser\n".encode())
        connection.sendall("".join(f"{each}\n" for each in readers(30_000)).encode())
        begun = "SELECT count(*) FROM pushjobs.audiences WHERE uploaded_at IS NULL AND recipients > 0"
        wait_for("the first piece is stored", lambda: ask(runtime, begun) == [(1,)])
        assert api.get("/v1/audiences").json()["audiences"][0]["recipients"] == 1
    given_up = "SELECT count(*) FROM pushjobs.audiences WHERE uploaded_at IS NULL AND replaced_at IS NOT NULL"
    wait_for("it is given up", lambda: ask(runtime, given_up) == [(1,)])
    assert api.get("/v1/audiences").json()["audiences"][0]["recipients"] == 1
    runtime.upkeep.prune()
    assert ask(runtime, "SELECT count(*) FROM pushjobs.audience_members") == [(1,)]


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


def test_another_s_campaigns_are_not_there(two_apps: Runtime, client: MakeClient) -> None:
    """What is of another app is answered like what is not there, by every verb; names of audiences are its own."""
    own, others = client("own", apps=(APPID,)), client("others", apps=(OTHER_APP,))
    put(others, *readers(3))
    assert others.post("/v1/campaigns", json=WANTED).json()["appid"] == OTHER_APP
    plan_at(two_apps, clock.now() + timedelta(seconds=40))
    run = only_run(two_apps).run_no
    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/preview", None),
        ("POST", "/rehearse", None),
        ("POST", "/test", {"touser": OPEN_ID}),
        ("POST", "/pause", None),
        ("POST", "/resume", None),
        ("GET", "/runs", None),
        ("GET", f"/runs/{run}", None),
        ("POST", f"/runs/{run}/pause", None),
        ("POST", f"/runs/{run}/resume", None),
        ("POST", f"/runs/{run}/cancel", None),
    ]:
        there = problem(own.request(method, f"/v1/campaigns/news{path}", json=body), 404, "not-found")
        nowhere = problem(own.request(method, f"/v1/campaigns/none{path}", json=body), 404, "not-found")
        assert there.pop("request_id") != nowhere.pop("request_id")
        assert there == nowhere
    assert own.get("/v1/campaigns").json() == {"campaigns": []}
    assert own.get("/v1/audiences").json() == {"audiences": []}
    problem(own.delete("/v1/audiences/readers"), 404, "not-found")
    problem(own.get("/v1/audiences", params={"appid": OTHER_APP}), 422, "invalid")
    problem(put(own, "oReader1", appid=OTHER_APP), 422, "invalid")
    problem(own.post("/v1/campaigns", json=WANTED | {"key": "mine", "appid": OTHER_APP}), 422, "invalid")
    put(own, "oReader1")
    assert own.post("/v1/campaigns", json=WANTED | {"key": "mine"}).json()["appid"] == APPID
    problem(own.patch("/v1/campaigns/mine", json={"appid": OTHER_APP}), 422, "invalid")
    assert own.post("/v1/campaigns/mine/rehearse").json()["users"] == 1
    assert others.post("/v1/campaigns/news/rehearse").json()["users"] == 3


def test_a_client_of_some_templates_sees_their_campaigns(client: MakeClient) -> None:
    """Another template's campaign is none, nor may one be made of it; audiences are the whole app's."""
    everybody, narrow = client("everybody"), client("narrow", templates=("other",))
    put(everybody, "oReader1")
    assert everybody.post("/v1/campaigns", json=WANTED).status_code == 201
    assert narrow.get("/v1/campaigns").json() == {"campaigns": []}
    problem(narrow.get("/v1/campaigns/news"), 404, "not-found")
    problem(narrow.post("/v1/campaigns", json=WANTED | {"key": "mine"}), 422, "unknown-template")
    mine = narrow.post("/v1/campaigns", json=WANTED | {"key": "mine", "template_id": "other"})
    assert mine.status_code == 201
    problem(narrow.patch("/v1/campaigns/mine", json={"template_id": DAILY_NEWS}), 422, "unknown-template")
    assert [each["key"] for each in narrow.get("/v1/campaigns").json()["campaigns"]] == ["mine"]
    problem(put(narrow, "oReader1"), 403, "forbidden")
    problem(narrow.delete("/v1/audiences/readers"), 403, "forbidden")
