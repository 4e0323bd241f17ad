"""`/v1/jobs` over a real server: accepted, found, looked at, changed."""

from datetime import UTC, datetime
from typing import Any

import httpx

from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from tests.integration.hands import ask
from tests.integration.own_api import MakeClient, api, client, door, order, problem
from tests.integration.pushes import OPEN_ID, SECRET_WORD
from tests.integration.states import put_into

__all__ = ["api", "client", "door"]


def create(api: httpx.Client, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a body's fields
    """Create a job and return it."""
    response = api.post("/v1/jobs", json=order(**more))
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_job_is_accepted_and_found_at_its_address(api: httpx.Client, runtime: Runtime) -> None:
    """201, with the job and its address; there it is, without its recipient and its words."""
    made = api.post("/v1/jobs", json=order(reference="order-1"))
    assert made.status_code == 201
    found = api.get(made.headers["location"])
    assert found.status_code == 200
    job = found.json()
    assert (job["state"], job["lane"], job["reference"], job["client"]) == ("scheduled", "urgent", "order-1", "shop")
    assert job["time"] == "2100-12-01T00:00:00Z"
    assert (OPEN_ID in found.text, SECRET_WORD in found.text) == (False, False)
    assert runtime.producer.get(job["id"]).client == "shop"
    assert {**made.json(), "created_at": None} == {**job, "created_at": None}


def test_a_job_that_is_due_goes_at_once(api: httpx.Client) -> None:
    """Without a time the job is published before it is answered."""
    made = api.post("/v1/jobs", json={name: value for name, value in order().items() if name != "time"}).json()
    assert api.get(f"/v1/jobs/{made['id']}").json()["state"] == "released"


def test_a_key_makes_one_job(api: httpx.Client, runtime: Runtime) -> None:
    """12.19 The same key is answered 200 with the job it made; another body under it is refused."""
    in_body: dict[str, Any] = {"idempotency_key": "k1"}
    in_header = {"Idempotency-Key": "k1"}
    first = api.post("/v1/jobs", json=order(**in_body))
    again = [api.post("/v1/jobs", json=order(**in_body)), api.post("/v1/jobs", json=order(), headers=in_header)]
    assert (first.status_code, [each.status_code for each in again]) == (201, [200, 200])
    assert {each.json()["id"] for each in again} == {first.json()["id"]}
    problem(api.post("/v1/jobs", json=order(2, **in_body)), 422, "key-reused")
    problem(api.post("/v1/jobs", json=order(2), headers=in_header), 422, "key-reused")
    assert len(runtime.producer.find()) == 1


def test_two_keys_for_one_job_are_refused(api: httpx.Client, runtime: Runtime) -> None:
    """A key in the header that is not the body's is refused, and so is one above a batch."""
    headers = {"Idempotency-Key": "k1"}
    assert api.post("/v1/jobs", json=order(idempotency_key="k1"), headers=headers).status_code == 201
    [error] = problem(api.post("/v1/jobs", json=order(idempotency_key="k2"), headers=headers), 422, "invalid")["errors"]
    assert error["field"] == "idempotency_key"
    problem(api.post("/v1/jobs", json={"jobs": [order()]}, headers=headers), 422, "invalid")
    assert len(runtime.producer.find()) == 1


def test_what_cannot_succeed_is_refused_with_field_fault_and_rule(api: httpx.Client, runtime: Runtime) -> None:
    """The readers' own words come back, and none of the content does."""
    [error] = problem(api.post("/v1/jobs", json=order(data={"thing1": "字" * 21})), 422, "invalid")["errors"]
    assert error["field"] == "data.thing1"
    assert "21" in error["fault"]
    assert "20" in error["rule"]
    found = problem(api.post("/v1/jobs", json=order(tousr="typing slip")), 422, "invalid")
    assert "idempotency_key" in found["errors"][0]["rule"]
    assert "typing slip" not in str(found)
    assert runtime.producer.find() == []


def test_a_batch_is_reported_row_by_row(api: httpx.Client, runtime: Runtime) -> None:
    """Good rows are jobs in the order of the rows, bad ones have their place, field, fault and rule; keys are known."""
    create(api, number=9, idempotency_key="k9", lane="bulk")
    rows = [order(1), order(9, idempotency_key="k9"), order(2, data={}), "no row", order(3, template_id=7), order(4)]
    report = api.post("/v1/jobs", json={"jobs": rows})
    assert report.status_code == 200
    found = report.json()
    assert (found["accepted"], found["known"], found["rejected"]) == (2, 1, 3)
    assert [made is None for made in found["ids"]] == [False, False, True, True, True, False]
    assert [(each["row"], each["field"]) for each in found["errors"]] == [
        (2, "jobs[2].data"),
        (3, "jobs[3].row"),
        (4, "jobs[4].template_id"),
    ]
    assert all(each["fault"] and each["rule"] for each in found["errors"])
    assert {job.id for job in runtime.producer.find()} == set(found["ids"]) - {None}
    assert {job.client for job in runtime.producer.find()} == {"shop"}


def test_a_batch_has_one_to_ten_thousand_rows(api: httpx.Client) -> None:
    """No rows, too many, or what is no array is refused as a whole."""
    bad: list[object] = [[], [{}] * 10_001, "rows", None, 7]
    for rows in bad:
        [error] = problem(api.post("/v1/jobs", json={"jobs": rows}), 422, "invalid")["errors"]
        assert error["field"] == "jobs"


def test_ten_thousand_jobs_are_one_transaction(api: httpx.Client, runtime: Runtime) -> None:
    """The largest batch is accepted whole, by one transaction."""
    found = api.post("/v1/jobs", json={"jobs": [order(number) for number in range(10_000)]}).json()
    assert (found["accepted"], found["rejected"], len(set(found["ids"]))) == (10_000, 0, 10_000)
    assert ask(runtime, "SELECT count(*), count(DISTINCT xmin::text) FROM pushjobs.jobs") == [(10_000, 1)]


def test_pages_go_back_in_time_without_a_gap(api: httpx.Client) -> None:
    """From cursor to cursor every job comes once, the newest first, though new ones are made meanwhile."""
    made = api.post("/v1/jobs", json={"jobs": [order(number) for number in range(7)]}).json()["ids"]
    seen: list[int] = []
    cursor = None
    for _ in range(4):
        page = api.get("/v1/jobs", params={"limit": 2} | ({} if cursor is None else {"cursor": cursor})).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        create(api, number=99)
    assert seen == sorted(made, reverse=True)
    assert cursor is None


def test_jobs_are_found_by_what_they_have_in_common(api: httpx.Client) -> None:
    """By state, template, reference and moment in the query; by user in a body."""
    one = create(api, number=1, reference="r1")
    two = create(api, number=2, reference="r2")
    api.post(f"/v1/jobs/{two['id']}/cancel")

    def ids(response: httpx.Response) -> list[int]:
        return [job["id"] for job in response.json()["jobs"]]

    assert ids(api.get("/v1/jobs", params={"state": "cancelled"})) == [two["id"]]
    assert ids(api.get("/v1/jobs", params={"reference": "r1", "template_id": "news"})) == [one["id"]]
    assert ids(api.get("/v1/jobs", params={"due_before": "2100-12-01 08:00:00"})) == []
    assert ids(api.get("/v1/jobs", params={"due_after": "2100-12-01 08:00:00"})) == [two["id"], one["id"]]
    assert ids(api.post("/v1/jobs/find", json={"touser": OPEN_ID})) == [one["id"]]
    assert ids(api.post("/v1/jobs/find")) == [two["id"], one["id"]]


UNREADABLE_FILTERS = [
    ({"state": "lost"}, "state"),
    ({"limit": "0"}, "limit"),
    ({"limit": "1001"}, "limit"),
    ({"limit": "ten"}, "limit"),
    ({"limit": "-1"}, "limit"),
    ({"cursor": "nonsense"}, "cursor"),
    ({"cursor": "YmVmb3JlOng"}, "cursor"),
    ({"due_after": "soon"}, "due_after"),
    ({"reference": "\0"}, "reference"),
    ({"template_id": "\0"}, "template_id"),
    ({"appid": "wxnone"}, "appid"),
    ({"touser": OPEN_ID}, "touser"),
    ({"statr": "sent"}, "statr"),
]


def test_a_filter_that_says_nothing_is_refused(api: httpx.Client) -> None:
    """A misspelt filter, or one that cannot be read, is named; passed over it would mean every job."""
    for query, field in UNREADABLE_FILTERS:
        [error] = problem(api.get("/v1/jobs", params=query), 422, "invalid")["errors"]
        assert error["field"] == field
        assert OPEN_ID not in str(error)
    for name, value in {"touser": 7, "reference": ["r"], "template_id": {}, "limit": True, "state": 1}.items():
        [error] = problem(api.post("/v1/jobs/find", json={name: value}), 422, "invalid")["errors"]
        assert error["field"] == name


def test_a_filter_stands_once(api: httpx.Client) -> None:
    """Which of two values is meant is not guessed."""
    problem(api.get("/v1/jobs?state=sent&state=dead"), 422, "invalid")


def test_a_job_is_cancelled_moved_and_says_why(api: httpx.Client) -> None:
    """Each answers with the job as it then is; what has happened stands in its history."""
    job = create(api)
    moved = api.post(f"/v1/jobs/{job['id']}/reschedule", json={"time": "2100-12-02T08:00:00+08:00"}).json()
    assert (moved["time"], moved["expires"]) == ("2100-12-02T00:00:00Z", "2100-12-04T00:00:00Z")
    why = api.get(f"/v1/jobs/{job['id']}/why").json()
    assert (why["rule"], why["when"], why["job"]["id"]) == ("not_due", "2100-12-02T00:00:00Z", job["id"])
    cancelled = api.post(f"/v1/jobs/{job['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    problem(api.post(f"/v1/jobs/{job['id']}/cancel"), 409, "not-possible")
    problem(api.post(f"/v1/jobs/{job['id']}/reschedule", json={"time": "2100-12-03 08:00:00"}), 409, "not-possible")
    history = api.get(f"/v1/jobs/{job['id']}/history").json()["history"]
    assert [each["transition"] for each in history] == ["reschedule", "cancel"]


def test_a_job_is_moved_to_a_moment(api: httpx.Client) -> None:
    """Without a moment that can be read nothing is moved."""
    job = create(api)
    bad: list[object] = [{}, {"time": None}, {"time": 7}, {"time": "x"}, {"tim": "x"}, []]
    for body in bad:
        problem(api.post(f"/v1/jobs/{job['id']}/reschedule", json=body), 422, "invalid")
    assert api.get(f"/v1/jobs/{job['id']}").json()["time"] == job["time"]


def test_everything_for_a_user_is_cancelled(api: httpx.Client) -> None:
    """By a filter in the body; without one, nothing is: that would be every job."""
    create(api, number=1)
    create(api, number=1)
    other = create(api, number=2)
    problem(api.post("/v1/jobs/cancel", json={}), 422, "invalid")
    problem(api.post("/v1/jobs/cancel", json={"state": "scheduled"}), 422, "invalid")
    assert api.post("/v1/jobs/cancel", json={"touser": OPEN_ID}).json() == {"cancelled": 2}
    assert api.get(f"/v1/jobs/{other['id']}").json()["state"] == "scheduled"


def test_a_dead_job_is_replayed(api: httpx.Client, runtime: Runtime) -> None:
    """It is scheduled again; one that is not dead is not, and a deadline that passed needs another."""
    job = create(api)
    problem(api.post(f"/v1/jobs/{job['id']}/replay"), 409, "not-possible")
    put_into(runtime, JobState.DEAD, runtime.producer.get(job["id"]))
    replayed = api.post(f"/v1/jobs/{job['id']}/replay", json={"expires": "2100-12-05 08:00:00"})
    assert (replayed.status_code, replayed.json()["state"]) == (200, "scheduled")
    assert replayed.json()["expires"] == "2100-12-05T00:00:00Z"


def test_a_doubt_is_resolved(api: httpx.Client, runtime: Runtime) -> None:
    """As sent, or to be sent again; anything else is no word for it."""
    jobs = [create(api, number=number) for number in (1, 2)]
    for job in jobs:
        put_into(runtime, JobState.IN_DOUBT, runtime.producer.get(job["id"]))
    problem(api.post(f"/v1/jobs/{jobs[0]['id']}/resolve", json={"as": "lost"}), 422, "invalid")
    problem(api.post(f"/v1/jobs/{jobs[0]['id']}/resolve"), 422, "invalid")
    assert api.post(f"/v1/jobs/{jobs[0]['id']}/resolve", json={"as": "sent"}).json()["state"] == "sent"
    assert api.post(f"/v1/jobs/{jobs[1]['id']}/resolve", json={"as": "again"}).json()["state"] == "scheduled"


def test_what_has_not_changed_is_not_told_again(api: httpx.Client) -> None:
    """A job's ETag is another when the job is; until then 304 and no body."""
    job = create(api)
    first = api.get(f"/v1/jobs/{job['id']}")
    again = api.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    api.post(f"/v1/jobs/{job['id']}/cancel")
    changed = api.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, changed.json()["state"]) == (200, "cancelled")


def test_a_number_of_no_job_is_not_there(api: httpx.Client) -> None:
    """Whatever stands where a number should, there is no such job."""
    for number in ("0", "9007199254740992", "99999999999999999999", "x", "-1", "1.5", "%00", "١"):
        for what in ("", "/why", "/history"):
            problem(api.get(f"/v1/jobs/{number}{what}"), 404, "not-found")


def test_moments_are_read_in_the_app_s_zone(api: httpx.Client) -> None:
    """A time without an offset is the app's, and every answer is in UTC."""
    job = create(api, expires="2100-12-01T09:00:00+08:00")
    assert datetime.fromisoformat(job["expires"]) == datetime(2100, 12, 1, 1, tzinfo=UTC)


def test_each_client_s_jobs_name_it(client: MakeClient, runtime: Runtime) -> None:
    """A job records who asked for it."""
    create(client("shop"), number=1)
    create(client("till"), number=2)
    assert {job.client for job in runtime.producer.find()} == {"shop", "till"}
