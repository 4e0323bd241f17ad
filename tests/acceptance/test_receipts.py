"""WeChat's word comes back: real processes send, the sandbox tells the HTTP door, the ticks put it on its job."""

import json
import os
import signal
from collections.abc import Iterator, Sequence

import httpx
import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.receipt import ReceiptState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.wechat.events import Callbacks, Push
from tests.acceptance.installation import Up, news, wait_for
from tests.conftest import APPID
from tests.integration.own_door import OwnDoor
from tests.integration.telling import AES_KEY, READER, TOKEN, pushed, receipt

MESSAGES = 1000


@pytest.fixture(scope="module")
def own() -> Iterator[OwnDoor]:
    """The app's own handler, which had WeChat's callbacks before there was pushjobs."""
    with OwnDoor() as door:
        yield door


@pytest.fixture(scope="module")
def more_settings(own: OwnDoor) -> dict[str, str]:
    """What WeChat's console would show, and where the app's own handler is."""
    return {"CALLBACK_TOKEN": TOKEN, "CALLBACK_AES_KEY": AES_KEY, "CALLBACK_FORWARD_URL": own.url}


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """The HTTP doors at a free port."""
    return ["--http", "0"]


@pytest.fixture
def door(up: Up) -> str:
    """What WeChat's console would hold as the address."""
    return f"{up.address('http')}/callback/{APPID}"


@pytest.fixture
def told(push: Runtime, sandbox: SandboxClient, own: OwnDoor, door: str) -> Runtime:
    """A runtime whose installation the sandbox tells of everything, encrypted and in XML."""
    own.taken.clear()
    where = {"callback_url": door, "callback_token": TOKEN, "callback_aes_key": AES_KEY}
    sandbox.change_settings(**where, callback_mode="secure", callback_format="xml")
    return push


def receipts(runtime: Runtime) -> dict[ReceiptState | None, int]:
    """Count jobs by what WeChat told of them."""
    with runtime.database.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT state::text, count(*) FROM pushjobs.receipts GROUP BY state")
        return {ReceiptState(state): count for state, count in rows}


def test_a_thousand_messages_get_a_thousand_receipts(told: Runtime, sandbox: SandboxClient, own: OwnDoor) -> None:
    """Every message that WeChat accepted is told of, taken at the door once, put on its job, and forwarded."""
    told.producer.send_many([news(number) for number in range(MESSAGES)])
    wait_for("all are sent", lambda: told.producer.counts()[JobState.SENT] == MESSAGES, 60)
    wait_for("all are receipted", lambda: receipts(told) == {ReceiptState.DELIVERED: MESSAGES}, 60)
    counts = sandbox.callbacks()
    assert (counts.told, counts.taken, counts.given_up) == (MESSAGES, MESSAGES, 0)

    wait_for("all are forwarded", lambda: len(own.taken) == MESSAGES, 60)
    callbacks = Callbacks(APPID, token=TOKEN, aes_key=AES_KEY)
    read = [callbacks.read(taken.callback, now=clock.now()) for taken in own.taken]
    users = {told.touser for each in read if isinstance(each, Push) for told in each.told}
    assert users == {f"oReader{number:06d}" for number in range(MESSAGES)}


def test_lost_answers_are_settled_by_receipts(told: Runtime, sandbox: SandboxClient) -> None:
    """Where WeChat accepted and the answer is lost, the job in doubt is sent within seconds, by WeChat's own word."""
    sandbox.order_fault("drop_after_read", {"path": "/cgi-bin/message/subscribe/send"}, accepted=True, times=20)
    told.producer.send_many([news(number) for number in range(100)])
    wait_for("all are sent", lambda: told.producer.counts()[JobState.SENT] == 100, 60)
    settled = [job for job in told.producer.find(limit=1000) if job.reason is Reason.RECEIPT]
    assert len(settled) == 20
    assert (sandbox.summary().accepted, sandbox.summary().repeats) == (100, 0)


def test_a_killed_door_loses_no_receipt(told: Runtime, sandbox: SandboxClient, up: Up) -> None:
    """12.17 A door killed in mid-flood is back within WeChat's three tries; what came meanwhile waited for it."""
    killed = up.door()
    assert killed is not None
    told.producer.send_many([news(number) for number in range(MESSAGES)])
    wait_for("receipts come", lambda: sandbox.callbacks().taken >= 100)
    os.kill(killed, signal.SIGKILL)
    wait_for("all are receipted", lambda: receipts(told) == {ReceiptState.DELIVERED: MESSAGES}, 60)
    counts = sandbox.callbacks()
    assert (counts.told, counts.taken, counts.given_up) == (MESSAGES, MESSAGES, 0)
    assert up.door() not in {None, killed}


def test_a_forged_receipt_changes_nothing(told: Runtime, door: str) -> None:
    """Whoever knows the address and not the token is refused, and what they say of a message is not stored."""
    told.producer.send_many([news(0)])
    wait_for("it is receipted", lambda: receipts(told) == {ReceiptState.DELIVERED: 1})
    [job] = told.producer.find()
    head = {"ToUserName": "gh_1", "FromUserName": READER, "CreateTime": int(clock.now().timestamp())}
    body = head | {"MsgType": "event", "Event": "subscribe_msg_sent_event", "List": receipt(job.msgid, code=43101)}
    genuine = pushed(json.dumps(body), is_secure=True)
    forged = {**genuine.query, "msg_signature": "0" * 40}
    assert httpx.post(door, params=forged, content=genuine.body, trust_env=False).status_code == 403
    with told.database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pushjobs.events").scalar() == 1
    assert told.producer.get(job.id).receipt == job.receipt
