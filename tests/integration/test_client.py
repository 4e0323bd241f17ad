"""The Python client over a real door: the verbs, the values and the errors of the producer beside it."""

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from pushjobs import clock, errors
from pushjobs.client import AsyncClient, Client
from pushjobs.domain.job import JobState, Lane
from pushjobs.inspection import Why
from pushjobs.producer import Producer
from pushjobs.runtime import Runtime
from tests.conftest import APPID
from tests.integration.own_api import door
from tests.integration.pushes import OPEN_ID, SECRET_WORD, TOMORROW, news
from tests.integration.relay import Relay, relay
from tests.integration.states import put_into

__all__ = ["door"]

Keys = tuple[str, str, str]


@pytest.fixture
def keys(door: httpx.Client, runtime: Runtime) -> Keys:
    """Address, id and key of a client that may do everything."""
    made = runtime.clients.add("shop", rights=("read", "write", "operate"))
    return str(door.base_url), made.client.id, made.key


@pytest.fixture
def push(keys: Keys) -> Iterator[Client]:
    """A client of the door."""
    with Client(*keys) as made:
        yield made


@pytest.fixture
def lossy(keys: Keys) -> Iterator[tuple[Client, Relay]]:
    """A client whose answers may get lost, and who loses them."""
    address, *who = keys
    with relay(address) as between, Client(between.url, *who) as made:
        yield made, between


def later(number: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `send`
    """The arguments of a push for tomorrow."""
    return news(number, **{"time": TOMORROW} | more)


def test_what_is_returned_is_what_the_producer_returns(push: Client, producer: Producer, runtime: Runtime) -> None:
    """Jobs, reasons, receipts and explanations are the same values, to the microsecond."""
    job = push.send(**later(reference="order-1", expires=timedelta(hours=3)))
    assert (job.state, job.lane, job.client, job.time) == (JobState.SCHEDULED, Lane.URGENT, "shop", TOMORROW)
    assert job.expires == TOMORROW + timedelta(hours=3)
    moved = push.reschedule(job.id, time=TOMORROW + timedelta(hours=1))
    assert moved == producer.get(job.id) == push.get(job.id)
    assert moved.expires - moved.time == timedelta(hours=3)
    assert push.find(reference="order-1") == producer.find(reference="order-1") == [moved]
    why = push.why(job.id)
    assert (type(why), why) == (Why, producer.why(job.id))
    assert why.history
    for state in JobState:
        put_into(runtime, state, job)
        assert push.get(job.id) == producer.get(job.id)


def test_jobs_are_found_page_by_page(push: Client, producer: Producer) -> None:
    """`before` and every filter mean what they do beside the database, the user's open id among them."""
    for number in (1, 2, 3):
        push.send(**later(number % 2, reference=f"r{number}"))
    newest, *older = push.find(limit=2)
    assert push.find(before=newest.id) == producer.find(before=newest.id) == [*older, *push.find(before=older[-1].id)]
    assert [each.reference for each in push.find(touser=later(1)["touser"])] == ["r3", "r1"]
    assert push.find(state=JobState.SENT) == []
    assert len(push.find(template_id="news", due_after=TOMORROW, due_before=TOMORROW + timedelta(seconds=1))) == 3


def test_jobs_are_cancelled_one_by_one_and_by_filters(push: Client) -> None:
    """`cancel` counts as beside the database; a second time one job is no longer to be cancelled."""
    jobs = [push.send(**later(number)) for number in (1, 2, 3)]
    assert push.cancel(jobs[0].id) == 1
    with pytest.raises(errors.NotPossible, match=f"job {jobs[0].id} is cancelled: it cannot be cancelled"):
        push.cancel(jobs[0].id)
    assert push.cancel(touser=later(2)["touser"]) == 1
    assert push.cancel(template_id="news") == 1
    assert {each.state for each in push.find()} == {JobState.CANCELLED}


def test_many_are_reported_row_by_row(push: Client, producer: Producer) -> None:
    """The report is the producer's for the same rows: counts, numbers from 1, fields and reasons."""
    rows = [
        later(1, idempotency_key="row-1"),
        later(2, page="/pages"),
        later(3, time=datetime(2100, 1, 1)),  # noqa: DTZ001 - what is refused
        later(4, idempotency_key="row-4", lane="urgent"),
        later(5, no_argument=1),
    ]
    report = push.send_many(row for row in rows)
    assert (report.accepted, report.known, report.rejected.total) == (2, 0, 3)
    beside = producer.send_many(rows)
    assert (beside.accepted, beside.known, list(beside.rejected)) == (0, 2, sorted(report.rejected))
    assert {each.lane for each in push.find()} == {Lane.BULK, Lane.URGENT}
    assert push.send_many(rows).known == 2
    with pytest.raises(errors.InvalidInput, match="rows is empty"):
        push.send_many([])


REFUSED: list[dict[str, Any]] = [
    {"touser": ""},
    {"touser": "空 格"},
    {"template_id": None},
    {"data": {"thing1": "二" * 21, "thing2": "b"}},
    {"data": ["thing1"]},
    {"data": {"thing1": None, "thing2": "b"}},
    {"page": "/index"},
    {"lang": "xx"},
    {"miniprogram_state": "beta"},
    {"emphasis_keyword": "thing1.DATA"},
    {"time": "tomorrow"},
    {"time": "2026-02-30 08:00:00"},
    {"time": datetime(2100, 1, 1)},  # noqa: DTZ001 - what is refused
    {"expires": TOMORROW - timedelta(seconds=1)},
    {"expires": timedelta(seconds=-1)},
    {"lane": "fast"},
    {"on_quota": "wait"},
    {"reference": "x" * 201},
    {"idempotency_key": ""},
    {"appid": "wxnobody"},
    {"nothing": 1},
    {"idempotency_key": "taken"},
]


def test_a_refusal_is_the_producer_s(push: Client, producer: Producer) -> None:
    """The same class, field, fault and rule, and no content and no open id in any of them; nothing is stored."""
    taken = push.send(**later(9, idempotency_key="taken"))
    for arguments in REFUSED:
        asked = later(1) | arguments
        with pytest.raises(errors.InvalidInput) as beside:
            producer.send(**asked)
        with pytest.raises(errors.InvalidInput) as over_http:
            push.send(**asked)
        assert over_http.value.__reduce__() == beside.value.__reduce__()
        assert (OPEN_ID in str(over_http.value), SECRET_WORD in str(over_http.value)) == (False, False)
    assert [each.id for each in push.find()] == [taken.id]


def test_an_unknown_template_is_that(worker: Runtime, push: Client) -> None:
    """Once the catalogue is read, an id that it has not is refused as UnknownTemplate."""
    worker.catalogue.sync()
    with pytest.raises(errors.UnknownTemplate, match="template_id is not in the app's catalogue"):
        push.send(**later(template_id="T" * 43))


def test_a_job_that_is_not_there_is_not_found(push: Client) -> None:
    """Whatever the number: NotFound from every verb that takes one."""
    verbs: list[Callable[[int], object]] = [push.get, push.why, push.cancel, partial(push.reschedule, time=TOMORROW)]
    for verb in verbs:
        for job_id in (1, 0, -1, 2**53, 10**30):
            with pytest.raises(errors.NotFound):
                verb(job_id)


def test_bad_filters_are_refused_as_the_producer_refuses_them(push: Client, producer: Producer) -> None:
    """No filter at all, a state that is none, a moment that cannot be read."""
    verbs: list[Callable[[Any], object]] = [
        lambda each: each.cancel(),
        lambda each: each.find(state="asleep"),
        lambda each: each.find(due_after="tomorrow"),
        lambda each: each.find(touser=""),
        lambda each: each.find(due_before=7),
    ]
    for verb in verbs:
        with pytest.raises(errors.InvalidInput) as beside:
            verb(producer)
        with pytest.raises(errors.InvalidInput) as over_http:
            verb(push)
        assert (type(over_http.value), over_http.value.field) == (type(beside.value), beside.value.field)


def test_who_may_not_is_told(keys: Keys, runtime: Runtime) -> None:
    """A wrong key is UnknownClient, a right that was not given NotPermitted; neither error holds the key."""
    address, client_id, key = keys
    with Client(address, client_id, f"{key}x") as stranger, pytest.raises(errors.UnknownClient) as refused:
        stranger.find()
    assert key not in str(refused.value)
    reader = runtime.clients.add("reader", rights=("read",))
    with Client(address, reader.client.id, reader.key) as push:
        assert push.find() == []
        with pytest.raises(errors.NotPermitted, match="no right to write"):
            push.send(**later())


def test_app_is_said_once(push: Client) -> None:
    """`app` names the app of everything that names none; one that is not there is refused."""
    here, nowhere = push.app(APPID), push.app("wxnobody")
    job = here.send(**later())
    assert here.send_many([later(2)]).accepted == 1
    assert len(here.find()) == 2
    assert here.cancel(template_id="news") == 2
    assert nowhere.get(job.id).appid == APPID
    assert nowhere.send(**later(3, appid=APPID)).appid == APPID
    verbs: list[Callable[[], object]] = [
        lambda: nowhere.send(**later()),
        nowhere.find,
        lambda: nowhere.cancel(template_id="news"),
    ]
    for verb in verbs:
        with pytest.raises(errors.InvalidInput, match="appid"):
            verb()


def test_whoever_asks_too_often_waits(keys: Keys, runtime: Runtime) -> None:
    """A client of four requests a second asks twelve times at once: some are put off, all are answered."""
    made = runtime.clients.add("slow", rights=("write",), per_second=4)
    with (
        relay(keys[0]) as between,
        Client(between.url, made.client.id, made.key) as push,
        ThreadPoolExecutor(4) as pool,
    ):
        jobs = list(pool.map(lambda number: push.send(**later(number)), range(12)))
    assert len(between.bodies) > 12
    assert len({each.id for each in jobs}) == len(runtime.producer.find()) == 12


def test_threads_share_a_client(push: Client, producer: Producer) -> None:
    """Eight threads with one client make as many jobs as they ask for, each its own."""
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda number: push.send(**later(number, reference=f"r{number}")), range(64)))
    assert [each.reference for each in jobs] == [f"r{number}" for number in range(64)]
    assert len(producer.find()) == 64


async def test_the_same_in_an_event_loop(keys: Keys, producer: Producer) -> None:
    """Every verb, awaited; many at once over one pool."""
    async with AsyncClient(*keys) as push:
        jobs = await asyncio.gather(*(push.send(**later(number)) for number in range(50)))
        assert len({each.id for each in jobs}) == 50
        job = jobs[0]
        assert await push.get(job.id) == await asyncio.to_thread(producer.get, job.id)
        assert (await push.why(job.id)).job == await push.get(job.id)
        moved = await push.reschedule(job.id, time="2100-12-01T08:00:00+08:00")
        assert moved.time == datetime(2100, 12, 1, tzinfo=UTC)
        assert (await push.send_many([later(1), later(2, page="/no")])).accepted == 1
        assert len(await push.find(limit=1000)) == 51
        assert await push.cancel(job.id) == 1
        assert await push.app(APPID).cancel(template_id="news") == 50
        with pytest.raises(errors.InvalidMessage, match="page begins with a slash"):
            await push.send(**later(page="/no"))


def odd(number: int) -> bool:
    """Whether a request is one of those whose answers get lost."""
    return number % 2 == 1


def test_a_lost_answer_makes_no_second_job(lossy: tuple[Client, Relay], producer: Producer) -> None:
    """Every first answer is lost: each job is asked for twice in the same words, and made once."""
    push, between = lossy
    between.loses = odd
    jobs = [push.send(**later(number)) for number in range(5)]
    assert len(between.bodies) == 10
    assert between.bodies[::2] == between.bodies[1::2]
    assert {each.id for each in jobs} == {each.id for each in producer.find()}
    assert len(jobs) == len({each.id for each in jobs}) == 5


async def test_a_lost_answer_in_an_event_loop(lossy: tuple[Client, Relay], keys: Keys, producer: Producer) -> None:
    """The same for the other sender."""
    _, between = lossy
    between.loses = odd
    async with AsyncClient(between.url, *keys[1:]) as push:
        job = await push.send(**later())
    assert [each.id for each in await asyncio.to_thread(producer.find)] == [job.id]
    assert len(between.bodies) == 2


def test_a_lost_report_counts_what_was_accepted(lossy: tuple[Client, Relay], producer: Producer) -> None:
    """Rows of a batch whose report was lost are accepted, not known, unless their keys are the caller's."""
    push, between = lossy
    between.loses = odd
    report = push.send_many([later(1), later(2, page="/no"), later(3)])
    assert (report.accepted, report.known, [each.row for each in report.rejected]) == (2, 0, [2])
    report = push.send_many([later(4, idempotency_key="mine"), later(5)])
    assert (report.accepted, report.known) == (1, 1)
    assert len(producer.find()) == 4


def test_changes_whose_answers_are_lost(lossy: tuple[Client, Relay], producer: Producer) -> None:
    """One job's cancellation and its move are what they are the second time; what cannot be told is not asked again."""
    push, between = lossy
    first, second, third = (push.send(**later(number)) for number in (1, 2, 3))
    asked = len(between.bodies)
    between.loses = lambda number: number in {asked + 1, asked + 3, asked + 6}
    moved = push.reschedule(first.id, time=TOMORROW + timedelta(days=1))
    assert moved == producer.get(first.id)
    # Lost, refused because it is done, looked at.
    assert push.cancel(second.id) == 1
    assert len(between.bodies) == asked + 5
    with pytest.raises(errors.Unreachable, match=re.escape("does not answer (RemoteProtocolError)")):
        push.cancel(touser=later(3)["touser"])
    assert len(between.bodies) == asked + 6
    assert producer.get(third.id).state is JobState.CANCELLED


def test_a_door_that_is_not_there(keys: Keys) -> None:
    """Nobody listening is Unreachable, with the host and without the key, after a few tries."""
    _, client_id, key = keys
    with Client("http://127.0.0.1:9", client_id, key) as push, pytest.raises(errors.Unreachable) as refused:
        push.get(1)
    assert "the door at 127.0.0.1 does not answer (ConnectError" in str(refused.value)
    assert key not in str(refused.value)


def test_a_certificate_of_an_authority_of_one_s_own(keys: Keys, authority: Path, server_tls: ssl.SSLContext) -> None:
    """`verify` names the authority; without it the door is not trusted, which is told at once and not tried again."""
    address, *who = keys
    with relay(address, server_tls) as between:
        with Client(between.url, *who, verify=ssl.create_default_context(cafile=authority)) as push:
            assert push.find() == []
        with Client(between.url, *who) as push:
            began = clock.monotonic()
            with pytest.raises(errors.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
                push.find()
            assert clock.monotonic() - began < 2
