"""What a client is told of its jobs, and that it is told each end once it is committed, and no sooner."""

import json
import pkgutil
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import TextClause, TextualSelect

from pushjobs import store
from pushjobs.domain.client import Client
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store import jobs
from tests.integration.hands import SEND, admit, ask, claim, deliver, end_leases
from tests.integration.own_door import OwnDoor
from tests.integration.pushes import OPEN_ID, SECRET_WORD, news
from tests.integration.telling import apply, receipt, tell
from tests.integration.webhooks.hearing import FAR, Verify, close, ids, told, waiting


def daily(number: int = 1, **more: object) -> dict[str, Any]:
    """The arguments of a push that the sandbox takes."""
    data = {"thing1": f"{SECRET_WORD}{number}", "thing2": "今日要闻", "date3": "2026年12月1日"}
    return news(number, **more) | {"template_id": DAILY_NEWS, "data": data}


def test_a_client_is_told_how_its_job_ended(
    worker: Runtime, sandbox: SandboxClient, client: Client, secret: str, door: OwnDoor, verify: Verify
) -> None:
    """A signed POST says number, reference, state, reason, code and moment, and nothing of message and reader."""
    sandbox.order_fault("errcode", SEND, errcode=43101, times=1)
    worker.producer.on_behalf_of(client).send_many([daily(reference="visit-1")])
    deliver(worker, claim(worker))
    worker.producer.send_many([daily(2)])
    deliver(worker, claim(worker))
    assert worker.telling.tell() == 1
    [taken] = door.taken
    [job] = worker.producer.find(reference="visit-1")
    assert job.closed_at is not None
    assert told(door) == [
        {
            "id": job.id,
            "reference": "visit-1",
            "state": "refused",
            "reason": "no_consent",
            "errcode": 43101,
            "closed_at": job.closed_at.isoformat().replace("+00:00", "Z"),
        }
    ]
    body = taken.callback.body
    assert json.loads(body)["type"] == "jobs.closed"
    assert (taken.callback.method, taken.content_type) == ("POST", "application/json")
    assert not any(word.encode() in body for word in (OPEN_ID, SECRET_WORD, DAILY_NEWS))
    assert verify(secret, taken.headers, body)
    assert not verify(secret, taken.headers, body + b" ")
    assert not verify(secret, {**taken.headers, "webhook-timestamp": "1"}, body)
    assert not verify("whsec_" + "A" * 44, taken.headers, body)
    assert (worker.telling.tell(), waiting(worker)) == (0, 0)


@pytest.mark.usefixtures("sandbox", "secret")
def test_every_way_to_close_is_told(worker: Runtime, sandbox: SandboxClient, client: Client, door: OwnDoor) -> None:
    """Sent, cancelled, expired, forgotten, lost by its worker, resolved: each end is told once, a doubt's twice."""
    push = worker.producer.on_behalf_of(client)
    push.send_many([daily(1, reference="sent")])
    deliver(worker, claim(worker))
    push.send(**daily(2, **FAR, reference="cancelled"))
    push.cancel(reference="cancelled")
    push.send(**daily(3, **FAR, reference="forgotten"))
    worker.producer.forget(daily(3)["touser"])
    push.send_many([daily(4, reference="expired")])
    batch = claim(worker)
    ask(
        worker,
        "UPDATE pushjobs.jobs SET planned_at = now() - interval '2 h', expires_at = now() - interval '1 h' "
        "WHERE reference = 'expired'",
    )
    deliver(worker, batch)
    push.send_many([daily(5, reference="doubt")])
    admit(worker, claim(worker))
    end_leases(worker)
    worker.upkeep.rescue()
    worker.operations.resolve(reference="doubt", as_="sent")
    worker.telling.tell()
    assert [(job["reference"], job["state"], job["reason"]) for job in told(door)] == [
        ("sent", "sent", None),
        ("cancelled", "cancelled", "requested"),
        (None, "cancelled", "forgotten"),
        ("expired", "expired", "deadline"),
        ("doubt", "in_doubt", "unknown_outcome"),
        ("doubt", "sent", "resolved"),
    ]
    assert sandbox.summary().accepted == 1


def test_a_doubt_that_wechat_settles_is_told_again(
    worker: Runtime, sandbox: SandboxClient, client: Client, secret: str, door: OwnDoor
) -> None:
    """A receipt makes a doubt `sent`; its client hears so, with what its job says and not with the receipt's code."""
    assert secret
    sandbox.order_fault("drop_after_read", SEND, accepted=True, times=1)
    worker.producer.on_behalf_of(client).send_many([daily(0)])
    deliver(worker, claim(worker))
    assert worker.telling.tell() == 1
    [entry] = sandbox.all_received()
    tell(worker, "sent", receipt(entry.msgid, code=-1))
    assert apply(worker) == 1
    assert worker.telling.tell() == 1
    ends = [(job["state"], job["reason"], job["errcode"]) for job in told(door)]
    assert ends == [("in_doubt", "unknown_outcome", None), ("sent", "receipt", None)]


def test_whoever_has_no_webhook_costs_nothing(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """No row is written for a client that is told nothing, nor for the application's own jobs."""
    close(runtime, client, 3)
    runtime.producer.send(**news(**FAR, reference="own"))
    runtime.producer.cancel(reference="own")
    assert (waiting(runtime), runtime.telling.tell()) == (0, 0)
    runtime.webhooks.place("shop", door.url)
    assert (waiting(runtime), runtime.telling.tell(), door.taken) == (0, 0, [])


@pytest.mark.usefixtures("secret")
def test_many_are_told_in_few_posts(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """1,200 outcomes take three POSTs, each in the order in which its jobs closed, none twice."""
    expected = [number for _ in range(2) for number in close(runtime, client, 600)]
    runtime.telling.tell()
    assert [len(json.loads(taken.callback.body)["data"]["jobs"]) for taken in door.taken] == [500, 500, 200]
    came = told(door)
    assert sorted(job["id"] for job in came) == sorted(expected)
    assert [job["closed_at"] for job in came] == sorted(job["closed_at"] for job in came)
    assert len(set(ids(door))) == 3


@pytest.mark.usefixtures("secret")
def test_a_late_commit_is_not_passed_by(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """What closed first and is committed last is told all the same, and not before its commit."""
    push = runtime.producer.on_behalf_of(client)
    first = push.send(**news(1, **FAR))
    with runtime.database.transaction() as connection:
        assert jobs.cancel(connection, [first.id]) == {first.id}
        [second] = close(runtime, client)
        assert runtime.telling.tell() == 1
    assert [job["id"] for job in told(door)] == [second]
    assert runtime.telling.tell() == 1
    assert [job["id"] for job in told(door)] == [second, first.id]


@pytest.mark.usefixtures("secret")
def test_what_is_rolled_back_is_never_told(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """An end that is undone with its transaction leaves nothing to tell."""
    job = runtime.producer.on_behalf_of(client).send(**news(**FAR))
    with suppress(ZeroDivisionError), runtime.database.transaction() as connection:
        assert jobs.cancel(connection, [job.id]) == {job.id}
        raise ZeroDivisionError
    assert (runtime.telling.tell(), door.taken) == (0, [])


def statements() -> Iterator[tuple[str, str]]:
    """Yield every statement of the store, with its name."""
    for module in pkgutil.iter_modules(store.__path__, "pushjobs.store."):
        for name, value in vars(import_module(module.name)).items():
            for each in value.values() if isinstance(value, dict) else [value]:
                if isinstance(each, TextClause | TextualSelect):
                    yield f"{module.name}.{name}", str(each)


def test_every_statement_that_closes_jobs_notes_it() -> None:
    """Whatever sets `closed_at` leaves a row for the client to be told, or nobody would notice that it does not."""
    closing = {name: sql for name, sql in statements() if re.search(r"closed_at = (?!NULL)\S", sql)}
    assert len(closing) >= 7
    assert [name for name, sql in closing.items() if "INSERT INTO pushjobs.outcomes" not in sql] == []
