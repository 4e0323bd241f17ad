"""Callbacks forwarded to the app's own door: as they came, signed as by WeChat, until it takes them."""

import json
from collections.abc import Iterator

import pytest

from pushjobs import clock
from pushjobs.domain.backoff import MAX_FORWARDS
from pushjobs.domain.events import Event, PushesNotTaken
from pushjobs.domain.receipt import ConsentGiven
from pushjobs.forwarding import Forwarding
from pushjobs.runtime import Runtime
from pushjobs.store.sealing import Sealer
from pushjobs.wechat.events import Callbacks, Push
from tests.conftest import APPID
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor
from tests.integration.telling import AES_KEY, READER, TOKEN, popup, take, tell

MESSAGE = json.dumps(
    {"ToUserName": "gh_1", "FromUserName": READER, "CreateTime": 1764000000, "MsgType": "text", "Content": "在吗？"},
    ensure_ascii=False,
)
XML = "<xml><ToUserName>gh_1</ToUserName><MsgType>text</MsgType><Content>在吗？</Content></xml>"


@pytest.fixture
def door() -> Iterator[OwnDoor]:
    """The app's own door."""
    with OwnDoor() as door:
        yield door


@pytest.fixture(params=[None], ids=["plain"])
def environment(environment: dict[str, str], door: OwnDoor, request: pytest.FixtureRequest) -> dict[str, str]:
    """An app with a door of its own; its callbacks come in plain, unless a test gives a key."""
    ours = {"PUSHJOBS_CALLBACK_TOKEN": TOKEN, "PUSHJOBS_CALLBACK_FORWARD_URL": door.url}
    return environment | ours | ({} if request.param is None else {"PUSHJOBS_CALLBACK_AES_KEY": request.param})


def read(door: OwnDoor, *, aes_key: str | None = None) -> list[Push]:
    """Prove and read what the door got, as the app's own code would with WeChat's token."""
    callbacks = Callbacks(APPID, token=TOKEN, aes_key=aes_key)
    found = [callbacks.read(taken.callback, now=clock.now()) for taken in door.taken]
    return [each for each in found if isinstance(each, Push)]


def states(runtime: Runtime) -> list[tuple[str, int, bool]]:
    """Return of each push where it stands, how often it was tried, and whether its content is kept."""
    rows = ask(runtime, "SELECT state::text, attempts, sealed IS NOT NULL FROM pushjobs.pushes ORDER BY push_no")
    return [(str(state), attempts, kept) for state, attempts, kept in rows]


def let_try(runtime: Runtime) -> None:
    """Let whatever waits be tried now."""
    ask(runtime, "UPDATE pushjobs.pushes SET try_at = now() WHERE state = 'waiting'")


@pytest.mark.parametrize(("body", "content_type"), [(MESSAGE, "application/json"), (XML, "text/xml")])
def test_a_push_is_forwarded_as_it_came(runtime: Runtime, door: OwnDoor, body: str, content_type: str) -> None:
    """The app's own code gets WeChat's body to the byte, the user in the query, and a signature that is of now."""
    take(runtime, body)
    assert runtime.forwarding.forward() == 1
    [push], [taken] = read(door), door.taken
    assert push.message == body
    assert (taken.callback.query["openid"], taken.content_type) == (READER, content_type)
    assert states(runtime) == [("forwarded", 1, False)]


@pytest.mark.parametrize("environment", [AES_KEY], indirect=True, ids=["secure"])
def test_a_secure_push_stays_encrypted(runtime: Runtime, door: OwnDoor) -> None:
    """What came encrypted goes on encrypted, under a msg_signature of its own."""
    take(runtime, MESSAGE, is_secure=True)
    assert runtime.forwarding.forward() == 1
    assert [push.message for push in read(door, aes_key=AES_KEY)] == [MESSAGE]
    assert door.taken[0].callback.query["encrypt_type"] == "aes"
    assert "在吗".encode() not in door.taken[0].callback.body


def test_what_we_apply_is_forwarded_too(runtime: Runtime, door: OwnDoor) -> None:
    """An event of ours reaches the app's own door as well, once, whatever WeChat repeats."""
    at = clock.now()
    for _ in range(3):
        tell(runtime, "popup", popup("accept"), at=at)
    runtime.forwarding.forward()
    [push] = read(door)
    assert [type(told) for told in push.told] == [ConsentGiven]


def test_many_are_forwarded_in_one_tick(runtime: Runtime, door: OwnDoor) -> None:
    """A tick goes on while the door takes what it gets; nothing comes twice."""
    for number in range(100):
        take(runtime, MESSAGE.replace("1764000000", str(1764000000 + number)))
    assert runtime.forwarding.forward() == 100
    assert len({taken.callback.body for taken in door.taken}) == len(door.taken) == 100


def test_a_door_that_fails_is_tried_again_later(runtime: Runtime, door: OwnDoor) -> None:
    """What the door did not take waits, longer each time, and is kept until it is taken."""
    door.answer = lambda _: (500, "trouble")
    take(runtime, MESSAGE)
    assert runtime.forwarding.forward() == 0
    assert runtime.forwarding.forward() == 0
    assert len(door.taken) == 1
    assert states(runtime) == [("waiting", 1, True)]
    let_try(runtime)
    runtime.forwarding.forward()
    [(wait,)] = ask(runtime, "SELECT extract(epoch FROM try_at - now())::float FROM pushjobs.pushes")
    assert 4 < wait <= 10
    door.answer = lambda _: (204, "")
    let_try(runtime)
    assert runtime.forwarding.forward() == 1
    assert states(runtime) == [("forwarded", 3, False)]


def test_few_are_risked_while_the_door_fails(runtime: Runtime, door: OwnDoor) -> None:
    """With something in trouble a tick tries eight, not all there are: each may cost a time-out."""
    door.answer = lambda _: (503, "")
    for number in range(50):
        take(runtime, MESSAGE.replace("1764000000", str(1764000000 + number)))
    runtime.forwarding.forward()
    first = len(door.taken)
    runtime.forwarding.forward()
    assert (first, len(door.taken)) == (32, 40)


def test_a_door_that_is_never_there_is_given_up(runtime: Runtime, door: OwnDoor) -> None:
    """After the last try a push is dead, kept, and told of; no fault names the address or what it held."""
    take(runtime, MESSAGE)
    ask(runtime, "UPDATE pushjobs.pushes SET attempts = :attempts", attempts=MAX_FORWARDS - 1)
    door.answer = lambda _: (302, "")
    told: list[Event] = []
    made = runtime.forwarding
    forwarding = Forwarding(
        runtime.database, made._terms, made._loop, made._forward, sealer=runtime.sealer, emit=told.append
    )
    assert forwarding.forward() == 0
    assert told == [PushesNotTaken(app_no=1, pushes=1, dead=1, fault="HTTP 302")]
    assert states(runtime) == [("dead", MAX_FORWARDS, True)]


def test_a_door_that_does_not_listen_is_a_fault_in_words(runtime: Runtime, door: OwnDoor) -> None:
    """Nobody at the address is trouble like any other."""
    take(runtime, MESSAGE)
    door.__exit__(None, None, None)
    try:
        assert runtime.forwarding.forward() == 0
        assert states(runtime) == [("waiting", 1, True)]
    finally:
        door.__enter__()


def test_what_no_key_opens_waits_for_its_key(runtime: Runtime, door: OwnDoor) -> None:
    """A push sealed by a key that is not there is not lost, and not sent as rubbish."""
    take(runtime, MESSAGE)
    runtime.forwarding._sealer = Sealer([b"x" * 32])
    assert runtime.forwarding.forward() == 0
    assert door.taken == []
    runtime.forwarding._sealer = runtime.sealer
    let_try(runtime)
    assert runtime.forwarding.forward() == 1


def test_a_push_claimed_by_one_is_left_alone_by_others(runtime: Runtime, door: OwnDoor) -> None:
    """While one process calls the door with a push, another's tick does not."""
    meanwhile: list[int] = []

    def answer(_: object) -> tuple[int, str]:
        other = Runtime(runtime.settings)
        meanwhile.append(other.forwarding.forward())
        other.close()
        return 200, ""

    door.answer = answer
    take(runtime, MESSAGE)
    assert runtime.forwarding.forward() == 1
    assert meanwhile == [0]
    assert len(door.taken) == 1
