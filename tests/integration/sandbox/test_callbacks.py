"""What the sandbox pushes: every mode and format as WeChat writes it, its retries, and that all of it is counted."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from pushjobs import clock
from pushjobs.domain.receipt import ConsentGiven, ConsentWithdrawn, Receipt
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from pushjobs.sandbox.client import CallbackCounts, SandboxError
from pushjobs.wechat.events import Callback, Callbacks, Handshake, Push
from tests.acceptance.installation import wait_for
from tests.integration.own_door import Answer, OwnDoor
from tests.integration.sandbox.conftest import APPID

TOKEN, AES_KEY = "sandboxtoken", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
Send = Callable[..., Any]


def greet(callback: Callback) -> Answer | None:
    """Answer a handshake; None for a push."""
    return (200, callback.query["echostr"]) if callback.method == "GET" else None


@pytest.fixture
def door() -> Iterator[OwnDoor]:
    """The app's door, which takes everything."""
    with OwnDoor(lambda callback: greet(callback) or (200, "success")) as door:
        yield door


def point(control: SandboxClient, door: OwnDoor, **more: object) -> None:
    """Have callbacks go to the door."""
    control.change_settings(callback_url=door.url, callback_token=TOKEN, **more)


def counted(control: SandboxClient, **expected: int) -> CallbackCounts:
    """Return the sandbox's counts as soon as these are among them."""
    wait_for(f"counted {expected}", lambda: expected.items() <= asdict(control.callbacks()).items())
    return control.callbacks()


def pushed(door: OwnDoor, *, aes_key: str | None = None) -> list[Push]:
    """Prove and read everything the door got."""
    callbacks = Callbacks(APPID, token=TOKEN, aes_key=aes_key)
    read = [callbacks.read(taken.callback, now=clock.now()) for taken in door.taken]
    assert isinstance(read[0], Handshake)
    return [each for each in read if isinstance(each, Push)]


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("mode", ["plain", "compatible", "secure"])
def test_a_sent_event_follows_every_accepted_send(
    control: SandboxClient, send: Send, door: OwnDoor, mode: str, form: str
) -> None:
    """In each mode and format the event proves itself and tells of the message that was accepted."""
    point(control, door, callback_mode=mode, callback_format=form, callback_aes_key=AES_KEY)
    msgid = send()["msgid"]
    assert send(touser="")["errcode"] == 40003
    assert counted(control, waiting=0) == CallbackCounts(told=1, taken=1, given_up=0, waiting=0, tries=1, handshakes=1)
    [push] = pushed(door, aes_key=None if mode == "plain" else AES_KEY)
    [told] = push.told
    assert isinstance(told, Receipt)
    assert (told.touser, told.template_id, told.msgid, told.errcode) == ("oUser1", ORDER_SHIPPED, msgid, 0)
    assert (push.encrypted is None) == (mode == "plain")
    [_, taken] = door.taken
    assert taken.callback.query["openid"] == "oUser1"
    assert taken.content_type == ("text/xml" if form == "xml" else "application/json")


def test_connections_are_kept(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """Many events go over few connections: as many as are pushed at once."""
    point(control, door)
    for number in range(50):
        send(touser=f"oUser{number}")
    counted(control, taken=50)
    assert len({taken.peer for taken in door.taken}) <= 16


def test_compatible_mode_says_it_twice(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """In compatible mode the plain message stands beside the encrypted one, under its own signature."""
    point(control, door, callback_mode="compatible", callback_aes_key=AES_KEY)
    send()
    counted(control, waiting=0)
    in_plain, encrypted = pushed(door), pushed(door, aes_key=AES_KEY)
    assert [push.told for push in in_plain] == [push.told for push in encrypted]


def test_secure_mode_shows_no_user_in_the_body(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """In secure mode the body holds the account and the ciphertext, nothing else."""
    point(control, door, callback_mode="secure", callback_format="xml", callback_aes_key=AES_KEY)
    send()
    counted(control, waiting=0)
    assert [child.tag for child in fromstring(door.taken[-1].callback.body)] == ["ToUserName", "Encrypt"]  # noqa: S314 - our own sandbox


def test_what_a_receipt_says_can_be_set(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """A failed delivery is told as one, with a code and words."""
    point(control, door, callback_errcode=-1)
    send()
    counted(control, waiting=0)
    [[told]] = [push.told for push in pushed(door)]
    assert isinstance(told, Receipt)
    assert (told.errcode, told.status) == (-1, "failed: system failed")


def test_users_answer_dialogs_on_request(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """A yes is pushed and a credit, a no is pushed and takes it; both as one event with an item a template."""
    point(control, door)
    control.change_settings(consents="ledger")
    assert send()["errcode"] == 43101
    control.tell("popup", "oUser1", {ORDER_SHIPPED: "accept", DAILY_NEWS: "reject"})
    assert send()["errcode"] == 0
    control.tell("popup", "oUser1", {ORDER_SHIPPED: "accept"})
    control.tell("change", "oUser1", {ORDER_SHIPPED: "reject"})
    assert send()["errcode"] == 43101
    counted(control, told=4, waiting=0)
    kinds = sorted(type(told).__name__ for push in pushed(door) for told in push.told)
    expected = [ConsentGiven, ConsentGiven, ConsentWithdrawn, ConsentWithdrawn, Receipt]
    assert kinds == [kind.__name__ for kind in expected]


@pytest.mark.parametrize("refused", [(500, ""), (200, "fail"), (204, "")], ids=str)
def test_what_is_not_taken_is_tried_three_times(
    control: SandboxClient, send: Send, door: OwnDoor, refused: Answer
) -> None:
    """An answer other than HTTP 200 with nothing or `success` is no answer; after three tries the event is given up."""
    door.answer = lambda callback: greet(callback) or refused
    point(control, door)
    send()
    assert counted(control, given_up=1).tries == 3
    bodies = {taken.callback.body for taken in door.taken[1:]}
    assert (len(door.taken), len(bodies)) == (4, 1)


def test_the_second_try_is_enough(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """A door that recovers in time gets its event, once taken never again."""
    answers = iter([(503, ""), (200, "")])
    door.answer = lambda callback: greet(callback) or next(answers)
    point(control, door)
    send()
    assert counted(control, taken=1).tries == 2


def test_an_address_that_does_not_shake_hands_gets_nothing(control: SandboxClient, send: Send, door: OwnDoor) -> None:
    """A door that does not answer the echo is not the app's; no event goes there."""
    door.answer = lambda _: (200, "success")
    point(control, door)
    send()
    counts = counted(control, given_up=1)
    assert (counts.tries, counts.handshakes) == (0, 0)
    assert {taken.callback.method for taken in door.taken} == {"GET"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"callback_url": "example.com"}, "callback_url must be"),
        ({"callback_url": 5}, "expected string"),
        ({"callback_url": "http://example.com/?a=1"}, "without a query"),
        ({"callback_url": "http://example.com/", "callback_token": "x"}, "3 to 32 letters"),
        ({"callback_url": "http://example.com/", "callback_token": "xyz", "callback_mode": "secure"}, "43 letters"),
        ({"callback_mode": "loud"}, "loud"),
    ],
    ids=["no address", "no text", "query", "token", "no key", "mode"],
)
def test_settings_that_wechat_would_refuse_are_refused(
    control: SandboxClient, changes: dict[str, Any], fault: str
) -> None:
    """The console's own rules hold: token of 3 to 32, key of 43 where anything is encrypted."""
    with pytest.raises(SandboxError, match=fault):
        control.change_settings(**changes)


def test_events_need_an_address(control: SandboxClient) -> None:
    """Where callbacks go nowhere, a user's answer to be pushed is refused by the control door."""
    with pytest.raises(SandboxError, match="no callback_url"):
        control.tell("popup", "oUser1", {ORDER_SHIPPED: "accept"})
