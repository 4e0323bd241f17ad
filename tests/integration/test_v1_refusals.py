"""What `/v1` does not take, and what it says when it cannot do its work."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from pushjobs.http.v1.asked import LARGE_BODY, SMALL_BODY
from pushjobs.runtime import Runtime
from tests.acceptance.installation import wait_for
from tests.integration.hands import ask
from tests.integration.own_api import api, client, door, order, problem

__all__ = ["api", "client", "door"]

JSON = {"Content-Type": "application/json"}


def test_a_body_is_json(api: httpx.Client, runtime: Runtime) -> None:
    """What is not said to be JSON is 415, what is said and is none 400, with the place and not a word of it."""
    problem(api.post("/v1/jobs", content=b'{"touser": "x"}'), 415, "no-json")
    problem(api.post("/v1/jobs", content=b"touser=x", headers={"Content-Type": "text/plain"}), 415, "no-json")
    for body in (
        b'{"touser": "oSecretUser"',
        b"\xff\xfe",
        b"{'touser': 'oSecretUser'}",
        b'{"touser": "\\ud800"}',
        b"NaN",
    ):
        detail = problem(api.post("/v1/jobs", content=body, headers=JSON), 400, "unreadable")["detail"]
        assert "line 1" in detail
        assert "oSecretUser" not in detail
    for value in (b"[]", b'"x"', b"7", b"true", b"null", b""):
        problem(api.post("/v1/jobs", content=value, headers=JSON), 422, "invalid")
    # Where a body may be left out, null is not taken for none: it would pause the whole app.
    problem(api.post("/v1/pauses", content=b"null", headers=JSON), 422, "invalid")
    typed = api.post("/v1/jobs", json=order(), headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert typed.status_code == 201
    assert len(runtime.producer.find()) == 1


def test_a_body_has_a_largest_size(api: httpx.Client) -> None:
    """64 KiB everywhere, 16 MiB for a batch; with a length and without one."""

    def endless() -> Iterator[bytes]:
        for _ in range(1024):
            yield b" " * SMALL_BODY

    large = b'{"reference": "%s"}' % (b"r" * SMALL_BODY)
    refused = api.post("/v1/jobs/cancel", content=large, headers=JSON)
    problem(refused, 413, "too-large")
    assert refused.headers["connection"] == "close"
    with suppress(httpx.WriteError, httpx.ReadError):  # closed, perhaps while it is still being written
        problem(api.post("/v1/jobs", content=endless(), headers=JSON), 413, "too-large")
    with suppress(httpx.WriteError, httpx.ReadError):
        problem(api.post("/v1/jobs", content=b" " * (LARGE_BODY + 1), headers=JSON), 413, "too-large")
    # A single job beyond 64 KiB is read, and judged by its readers.
    problem(api.post("/v1/jobs", json=order(page="p" * SMALL_BODY)), 422, "invalid")
    assert api.get("/v1/jobs").json()["jobs"] == []


def test_addresses_and_methods_that_are_none_are_problems(api: httpx.Client) -> None:
    """Under `/v1/` an address of no route is 404 and another method 405, as problems."""
    problem(api.get("/v1/nothing"), 404, "not-found")
    problem(api.get("/v1/"), 404, "not-found")
    refused = api.delete("/v1/jobs")
    problem(refused, 405, "not-a-method")
    assert refused.headers["allow"]
    assert api.get("/nothing").headers["content-type"].startswith("text/plain")


def test_a_database_that_is_away_is_told(api: httpx.Client, runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """503 and when to ask again, without a word of where the database is; the log says what it is, once."""
    job = api.post("/v1/jobs", json=order()).json()
    ask(runtime, "ALTER SCHEMA pushjobs RENAME TO gone")
    try:
        with caplog.at_level(logging.WARNING, "pushjobs"):
            for path in ("/v1/jobs", f"/v1/jobs/{job['id']}", "/v1/pauses", "/v1/jobs"):
                response = api.get(path)
                assert "postgres" not in str(problem(response, 503, "unreachable"))
                assert response.headers["retry-after"] == "1"
            problem(api.post("/v1/jobs", json={"jobs": [order(2)]}), 503, "unreachable")
    finally:
        ask(runtime, "ALTER SCHEMA gone RENAME TO pushjobs")
    told = [record for record in caplog.records if record.message == "requests_failed"]
    assert len(told) == 1
    assert "run `pushjobs db upgrade`" in told[0].__dict__["fault"]
    assert api.get(f"/v1/jobs/{job['id']}").status_code == 200


def test_more_batches_than_it_holds_are_told_to_come_back(api: httpx.Client, runtime: Runtime) -> None:
    """Four large bodies are in work at once; the next is refused at once, other requests go on, and nothing is lost."""
    batch = {"jobs": [order(number, page="p" * 200) for number in range(300)]}

    def send(_: int) -> httpx.Response:
        return api.post("/v1/jobs", json=batch)

    with ThreadPoolExecutor(5) as pool:
        with runtime.database.transaction() as connection:
            connection.exec_driver_sql("LOCK TABLE pushjobs.jobs IN EXCLUSIVE MODE")
            answers = [pool.submit(send, number) for number in range(5)]
            wait_for("one is refused", lambda: any(answer.done() for answer in answers))
            [refused] = [answer.result() for answer in answers if answer.done()]
            problem(refused, 503, "overloaded")
            assert refused.headers["retry-after"] == "1"
            assert api.get("/v1/apps").status_code == 200
        done = [answer.result() for answer in answers]
    assert sorted(each.status_code for each in done) == [200, 200, 200, 200, 503]
    assert ask(runtime, "SELECT count(*) FROM pushjobs.jobs") == [(4 * 300,)]


def test_a_fault_of_ours_is_a_problem_too(api: httpx.Client, runtime: Runtime) -> None:
    """An exception that nobody foresaw is 500 without a word of it."""
    job = api.post("/v1/jobs", json=order()).json()
    # A number that no reason of ours has: what no version of the code would write.
    ask(runtime, "UPDATE pushjobs.jobs SET reason = 'nobody knows' WHERE id = :id", id=job["id"])
    assert "nobody knows" not in str(problem(api.get(f"/v1/jobs/{job['id']}"), 500, "broken"))
