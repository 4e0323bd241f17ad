"""The doors as the internet finds them: what every answer has, what the log tells."""

import json

import httpx

from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from tests.conftest import APPID
from tests.integration.doors_process import DoorsProcess, doors_process, key, served
from tests.integration.hands import ask
from tests.integration.own_api import order, problem

__all__ = ["key", "served"]

POLICY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def test_every_answer_has_the_headers(served: tuple[DoorsProcess, httpx.Client]) -> None:
    """Of whichever door, and refused or not: not stored, not guessed at, not framed, and no word of the server."""
    _, client = served
    asked = [
        *(("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/v1/jobs"), ("GET", "/v1/nothing"), ("GET", "/nothing")),
        *(("GET", f"/callback/{APPID}"), ("GET", "/cgi-bin/token"), ("DELETE", "/v1/jobs"), ("POST", "/v1/jobs")),
        *(("GET", "/openapi.json"), ("GET", "/docs")),
    ]
    for method, path in asked:
        answer = client.request(method, path)
        wanted = POLICY | ({"content-security-policy": _PAGE} if path in {"/docs", "/openapi.json"} else {})
        assert {name: answer.headers.get(name) for name in POLICY} == wanted, path
        assert "server" not in answer.headers
        assert answer.headers["x-request-id"]


_PAGE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def test_no_page_of_another_site_may_ask(served: tuple[DoorsProcess, httpx.Client]) -> None:
    """CORS is off: no answer allows another origin anything, and there is nothing to ask beforehand."""
    _, client = served
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for path in ("/v1/jobs", "/cgi-bin/token", f"/callback/{APPID}", "/docs", "/healthz"):
        for method in ("OPTIONS", "GET"):
            answer = client.request(method, path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control-")]
            assert (answer.status_code == 405) == (method == "OPTIONS"), path


def test_a_request_is_found_by_its_id(served: tuple[DoorsProcess, httpx.Client]) -> None:
    """The caller's id, if it is a short word, else one of ours: in the answer, in a problem's body, in the log."""
    process, client = served
    refused = client.get("/v1/jobs/7", headers={"X-Request-Id": "shop-1.a_b"})
    assert refused.headers["x-request-id"] == "shop-1.a_b"
    assert problem(refused, 404, "not-found")["request_id"] == "shop-1.a_b"
    assert process.answered("shop-1.a_b")["status"] == 404
    made = set()
    for given in ("", "x" * 65, "a b", 'a"b', "ä".encode().decode("latin-1")):
        answer = client.get("/v1/apps", headers=[(b"X-Request-Id", given.encode("latin-1"))])
        made.add(answer.headers["x-request-id"])
        assert process.answered(answer.headers["x-request-id"])["status"] == 200
    twice = client.get("/healthz", headers=[("X-Request-Id", "one"), ("X-Request-Id", "two")])
    made.add(twice.headers["x-request-id"])
    assert len(made) == 6
    assert all(len(each) == 16 for each in made)


def test_the_log_tells_what_was_asked_and_no_secret(served: tuple[DoorsProcess, httpx.Client], key: NewKey) -> None:
    """A line a request: method, route, status, time, client, address; no query, open id, content, token or key."""
    process, client = served
    proof = {"appid": key.client.id, "secret": key.key, "grant_type": "client_credential"}
    token = client.get("/cgi-bin/token", params=proof, headers={"X-Request-Id": "token"}).json()["access_token"]
    body = {**order(1, touser="oVerySecretUser"), "idempotency_key": "k"}
    client.post("/v1/jobs", json=body, headers={"X-Request-Id": "made"})
    client.post("/cgi-bin/message/subscribe/send", params={"access_token": token}, json=order(2, touser="oSecretToo"))
    client.get("/v1/jobs/oVerySecretUser", params={"reference": "Zürich"}, headers={"X-Request-Id": "other"})
    client.get("/wxa/oVerySecretUser", headers={"X-Request-Id": "relayed"})
    client.delete("/v1/jobs", headers={"X-Request-Id": "no-method"})
    client.get("/oVerySecretUser", headers={"X-Request-Id": "nowhere"})
    client.get("/v1/jobs", headers={"X-Request-Id": "stranger", "Authorization": "Bearer nobody.nothing"})
    made = process.answered("made")
    assert made.pop("milliseconds") > 0
    assert made.pop("timestamp")
    assert made == {
        "event": "request_answered",
        "level": "info",
        "method": "POST",
        "route": "/v1/jobs",
        "status": 201,
        "client": "shop",
        "address": "127.0.0.1",
        "scheme": "http",
        "request_id": "made",
    }
    assert (process.answered("token")["route"], process.answered("token")["client"]) == ("/cgi-bin/token", "shop")
    assert process.answered("other")["route"] == "/v1/jobs/{id}"
    assert process.answered("relayed")["route"] == "/wxa/{rest:path}"
    assert (process.answered("no-method")["route"], process.answered("no-method")["status"]) == ("/v1/jobs", 405)
    assert (process.answered("nowhere")["route"], process.answered("nowhere")["status"]) == (None, 404)
    assert (process.answered("stranger")["client"], process.answered("stranger")["status"]) == (None, 401)
    told = "".join(process.lines)
    for secret in ("Secret", "Zürich", token, key.key, "?"):
        assert secret not in told


def test_the_access_log_can_be_done_without(environment: dict[str, str], runtime: Runtime) -> None:
    """With `PUSHJOBS_ACCESS_LOG` off the process writes nothing while all goes well."""
    assert runtime.settings.access_log
    with doors_process(environment | {"PUSHJOBS_ACCESS_LOG": "false"}) as (process, client):
        assert client.get("/healthz").headers["x-request-id"]
    assert process.lines == []


def test_what_goes_wrong_is_told_with_the_request(served: tuple[DoorsProcess, httpx.Client], runtime: Runtime) -> None:
    """Other lines that a request causes have its id."""
    process, client = served
    ask(runtime, "ALTER SCHEMA pushjobs RENAME TO gone")
    assert client.get("/v1/jobs", headers={"X-Request-Id": "lost"}).status_code == 503
    assert process.answered("lost")["status"] == 503
    told = {(line["event"], line["request_id"]) for line in map(json.loads, process.lines)}
    assert ("requests_failed", "lost") in told
