"""Sends at the drop-in door, as an SDK makes them: WeChat's bodies, answers and codes at a real server."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from pushjobs.clients import NewKey
from pushjobs.domain.job import JobState, Lane
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, paths
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from tests.conftest import APPID, SECRET
from tests.integration.drop_in import LATER, LEGACY, LEGACY_SEND, MESSAGE, SEND, Post, said, token_of
from tests.integration.hands import ask, claim, deliver, only_job
from tests.integration.serving import doors


def test_a_send_becomes_a_job(post: Post, worker: Runtime, sandbox: SandboxClient) -> None:
    """WeChat's own body is accepted as it is; the answer's msgid is the job's number, and the message arrives."""
    answer = post(SEND, MESSAGE)
    job = only_job(worker)
    assert answer == {"errcode": 0, "errmsg": "ok", "msgid": job.id}
    assert (job.client, job.lane, job.reason) == ("shop", Lane.URGENT, None)
    deliver(worker, [(job.id, 1)])
    [received] = sandbox.log()
    assert (received.errcode, received.body["data"]["thing1"]) == (0, {"value": "第1条"})
    assert worker.producer.get(job.id).state is JobState.SENT


def test_takes_our_own_fields(post: Post, worker: Runtime) -> None:
    """Time, deadline, lane, reference, quota and idempotency key say what they say in Python."""
    ours = {"time": LATER, "expires": "2099-12-02 08:00:00", "lane": "bulk", "reference": "YY1", "on_quota": "refuse"}
    first = post(SEND, MESSAGE | ours | {"idempotency_key": "once"})
    again = post(SEND, MESSAGE | ours | {"idempotency_key": "once"})
    assert first == again
    job = only_job(worker)
    assert (job.lane, job.reference, f"{job.time:%Y-%m-%d %H:%M}") == (Lane.BULK, "YY1", "2099-12-01 00:00")
    other = post(SEND, MESSAGE | ours | {"idempotency_key": "once", "page": "other"})
    assert other["errcode"] == 40097
    assert "stands for another body" in other["errmsg"]


def test_empty_fields_are_none(post: Post, worker: Runtime) -> None:
    """What an SDK writes for a field that nobody filled is no fault: an empty text, a colour of before 2020."""
    data = {key: {**value, "color": ""} for key, value in MESSAGE["data"].items()}
    empty = {"page": "", "miniprogram_state": "", "lang": "", "time": "", "reference": ""}
    assert post(SEND, MESSAGE | empty | {"data": data})["errcode"] == 0
    assert only_job(worker).reference is None


REFUSED_BY_BOTH: list[tuple[str, dict[str, Any], int]] = [
    (SEND, {"touser": ""}, 40003),
    (SEND, {"touser": None}, 40003),
    (SEND, {"template_id": "no-such-template"}, 40037),
    (SEND, {"template_id": ""}, 40037),
    (SEND, {"page": "/index"}, 41030),
    (SEND, {"data": {}}, 47003),
    (SEND, {"data": "thing1"}, 47003),
    (SEND, {"data": {"thing1": {"value": "第1条"}}}, 47003),
    (SEND, {"data": {**MESSAGE["data"], "thing1": {"value": "长" * 21}}}, 47003),
    (SEND, {"data": {**MESSAGE["data"], "date3": {"value": "yesterday"}}}, 47003),
    (SEND, {"data": {**MESSAGE["data"], "thing9": {"value": "x"}}}, 47003),
    (SEND, {"miniprogram_state": "beta"}, 47003),
    (SEND, {"lang": "de_DE"}, 47003),
    (SEND, {"form_id": "FORMID"}, 47001),
    (SEND, {"colour": "red"}, 47001),
    (LEGACY_SEND, {"touser": ""}, 40003),
    (LEGACY_SEND, {"form_id": ""}, 41028),
    (LEGACY_SEND, {"page": "/index"}, 41030),
    (LEGACY_SEND, {"emphasis_keyword": "keyword9.DATA"}, 47003),
    (LEGACY_SEND, {"miniprogram_state": "formal"}, 47001),
]


def test_refuses_as_wechat_does(post: Post, worker: Runtime, sandbox: SandboxClient) -> None:
    """What WeChat refuses is refused here under the same code, with field, fault and rule, and nothing is stored."""
    assert sandbox is not None
    worker.catalogue.sync()
    found = []
    for path, change, _ in REFUSED_BY_BOTH:
        body = {**(MESSAGE if path == SEND else LEGACY), **change}
        given = {name: value for name, value in body.items() if value is not None}
        theirs, ours = said(at_wechat(worker, path, given)), post(path, body)
        assert next(iter(change)) in ours["errmsg"]
        found.append((path, change, theirs["errcode"], ours["errcode"]))
    assert found == [(path, change, errcode, errcode) for path, change, errcode in REFUSED_BY_BOTH]
    assert ask(worker, "SELECT id FROM pushjobs.jobs") == []


def at_wechat(worker: Runtime, path: str, body: object) -> httpx.Response:
    """Ask the sandbox itself."""
    base = worker.settings.wechat_base_url
    query = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
    token = httpx.get(base + paths.TOKEN, params=query, trust_env=False).json()["access_token"]
    return httpx.post(base + path, params={"access_token": token}, json=body, trust_env=False)


def test_many_at_once_go_in_few_transactions(post: Post, worker: Runtime) -> None:
    """Sends over sixteen connections are accepted together; good, bad and repeats each have their answer."""
    bodies = [MESSAGE | {"touser": f"oReader{number:06d}", "time": LATER} for number in range(200)]
    bodies += [MESSAGE | {"page": "/slash"}, MESSAGE | {"touser": ""}] * 20
    bodies += [MESSAGE | {"time": LATER, "idempotency_key": f"key {number % 5}"} for number in range(40)]
    post(SEND, MESSAGE | {"time": LATER})  # the door knows the template
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda body: post(SEND, body), bodies))
    assert [each["errcode"] for each in answers[:200]] == [0] * 200
    assert len({each["msgid"] for each in answers[:200]}) == 200
    assert [each["errcode"] for each in answers[200:240]] == [41030, 40003] * 20
    assert len({each["msgid"] for each in answers[240:]}) == 5
    [(jobs, transactions)] = ask(worker, "SELECT count(*), count(DISTINCT xmin::text) FROM pushjobs.jobs")
    assert jobs == 1 + 200 + 5
    assert transactions < jobs


def test_what_is_due_now_goes_straight_to_a_worker(post: Post, worker: Runtime) -> None:
    """Sends without a time are released by their maker, however many come at once, and delivered from there."""
    post(SEND, MESSAGE | {"time": LATER})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post(SEND, MESSAGE | {"touser": f"oNow{n}"}), range(50)))
    assert {each["errcode"] for each in answers} == {0}
    states = ask(worker, "SELECT state, release_no, count(*) FROM pushjobs.jobs GROUP BY 1, 2 ORDER BY 1")
    assert states == [("scheduled", 0, 1), ("released", 1, 50)]


def test_a_legacy_request_is_translated(post: Post, worker: Runtime, sandbox: SandboxClient) -> None:
    """The old body goes out as a message of the template that its own is mapped to; the form id is not needed."""
    keywords = {"keyword1": "thing1", "keyword2": "thing2", "keyword3": "date3", "keyword4": None, "keyword5": None}
    worker.producer.map_template("OLD", DAILY_NEWS, keywords)
    body = LEGACY | {"template_id": "OLD", "color": "#173177"}
    body["data"] = LEGACY["data"] | {"keyword3": {"value": "2019-01-01 10:00", "color": "#173177"}}
    assert post(LEGACY_SEND, body)["msgid"] == only_job(worker).id
    del body["form_id"]
    assert post(LEGACY_SEND, body)["errcode"] == 0
    assert post(LEGACY_SEND, body | {"data": body["data"] | {"keyword3": "never"}})["errcode"] == 47003
    assert {job.template_id for job in worker.producer.find()} == {DAILY_NEWS}
    for job in worker.producer.find():
        deliver(worker, [(job.id, 1)])
    assert [each.path for each in sandbox.log()] == [SEND, SEND]


def test_a_text_that_wechat_minds_is_refused(post: Post, worker: Runtime, sandbox: SandboxClient) -> None:
    """Where the template's texts are checked, a risky one is 87014; without a word of WeChat, -1."""
    sandbox.mind("返现")
    sandbox.visit("oReader000001")
    worker.operations.set_policies(DAILY_NEWS, content_check="forum")
    risky = MESSAGE | {"data": MESSAGE["data"] | {"thing1": {"value": "下单返现五元"}}}
    assert post(SEND, risky)["errcode"] == 87014
    assert post(SEND, MESSAGE | {"touser": "oNeverThere"})["errcode"] == -1
    assert post(SEND, MESSAGE)["errcode"] == 0
    assert only_job(worker).client == "shop"


def test_an_unmapped_legacy_request_goes_out_as_it_is(post: Post, worker: Runtime, sandbox: SandboxClient) -> None:
    """To a host that is not WeChat's the legacy message is sent as it came; its form id serves once."""
    assert post(LEGACY_SEND, LEGACY)["errcode"] == 0
    assert post(LEGACY_SEND, LEGACY)["errcode"] == 41029
    deliver(worker, claim(worker) or [(only_job(worker).id, 1)])
    [received] = sandbox.log()
    assert (received.path, received.errcode, received.body["form_id"]) == (LEGACY_SEND, 0, "FORMID")


def test_the_real_wechat_has_no_legacy_messages(settings: Settings, runtime: Runtime) -> None:
    """Where the host is WeChat's own, a legacy message without a mapping is refused with 45103, at the door."""
    with doors(settings.model_copy(update={"wechat_base_url": "https://api.weixin.qq.com"})) as door:
        token = token_of(door, runtime.clients.add("old"))
        assert said(door.post(LEGACY_SEND, params={"access_token": token}, json=LEGACY))["errcode"] == 45103
        without = {name: value for name, value in LEGACY.items() if name != "form_id"}
        assert said(door.post(LEGACY_SEND, params={"access_token": token}, json=without))["errcode"] == 45103


def test_without_its_servers_it_says_that_it_is_busy(
    settings: Settings, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """When PostgreSQL goes away a send is answered -1, which callers repeat; the log says why, without the request."""
    with doors(settings) as door:
        token = token_of(door, runtime.clients.add("shop"))
        body = MESSAGE | {"time": LATER}
        assert said(door.post(SEND, params={"access_token": token}, json=body))["errcode"] == 0
        with runtime.database.transaction() as connection:
            connection.exec_driver_sql("ALTER SCHEMA pushjobs RENAME TO gone")
        with caplog.at_level(logging.WARNING, "pushjobs"):
            assert said(door.post(SEND, params={"access_token": token}, json=body))["errcode"] == -1
    [record] = [each for each in caplog.records if each.message == "requests_not_accepted"]
    assert record.__dict__["fault"] == "NotReady"
    assert MESSAGE["touser"] not in caplog.text


def test_a_connection_goes_on_after_whatever_it_was_told(door: httpx.Client, shop: NewKey) -> None:
    """Refusals of all kinds, bodies unread among them, leave a kept-alive connection in order; one too long ends it."""
    token = token_of(door, shop)
    later = MESSAGE | {"time": LATER}
    for _ in range(3):
        assert said(door.post(SEND, params={"access_token": "x"}, json=later))["errcode"] == 40001
        assert said(door.post(SEND, params={"access_token": "x"}, content=b"x" * 200_000))["errcode"] == 40001
        assert said(door.post(SEND, params={"access_token": token}, json=later))["errcode"] == 0
    large = door.post(SEND, params={"access_token": token}, content=b"x" * 200_000)
    assert (said(large)["errcode"], large.headers["connection"]) == (45014, "close")
    assert said(door.post(SEND, params={"access_token": token}, json=later))["errcode"] == 0
