"""WeChat's word comes back: real processes send, the sandbox tells of each message, the ticks put it on its job."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from pushjobs import clock, settings
from pushjobs.domain.job import JobState, Reason
from pushjobs.domain.receipt import ReceiptState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.wechat.events import Callback, Callbacks, Push
from tests.acceptance.installation import Up, news, wait_for
from tests.conftest import APPID
from tests.integration.own_door import Answer, OwnDoor

MESSAGES = 1000
TOKEN, AES_KEY = "sandboxtoken", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"


@pytest.fixture(scope="module")
def own() -> Iterator[OwnDoor]:
    """The app's own handler, which had WeChat's callbacks before there was pushjobs."""
    with OwnDoor() as door:
        yield door


@pytest.fixture(scope="module")
def more_settings(own: OwnDoor) -> dict[str, str]:
    """What WeChat's console would show, and where the app's own handler is."""
    return {"CALLBACK_TOKEN": TOKEN, "CALLBACK_AES_KEY": AES_KEY, "CALLBACK_FORWARD_URL": own.url}


@pytest.fixture
def told(up: Up, push: Runtime, sandbox: SandboxClient, own: OwnDoor) -> Iterator[Runtime]:
    """A runtime with a door that the sandbox tells of everything, encrypted and in XML."""
    own.taken.clear()
    with closing(Runtime(settings.load(up.directory))) as taker:

        def answer(callback: Callback) -> Answer:
            return 200, taker.callbacks.take(APPID, callback)

        with OwnDoor(answer) as door:
            where = {"callback_url": door.url, "callback_token": TOKEN, "callback_aes_key": AES_KEY}
            sandbox.change_settings(**where, callback_mode="secure", callback_format="xml")
            yield push


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
