"""The callback door: what it takes, answers, stores and refuses."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from pushjobs import clock
from pushjobs.domain.events import Event, EventsUnreadable
from pushjobs.errors import InvalidCallback, Misconfigured, NotFound, UnprovenCallback
from pushjobs.receipts import Door
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from pushjobs.wechat.crypto import signature
from pushjobs.wechat.events import Callback, Callbacks, Push
from tests.conftest import APPID
from tests.integration.hands import ask
from tests.integration.telling import AES_KEY, READER, TOKEN, event_states, popup, pushed, take

MESSAGE = {"ToUserName": "gh_1", "FromUserName": READER, "CreateTime": 1764000000, "MsgType": "text", "Content": "你好"}
SECURE = {"PUSHJOBS_CALLBACK_AES_KEY": AES_KEY}
FORWARDS = {"PUSHJOBS_CALLBACK_FORWARD_URL": "http://127.0.0.1:9/wechat"}


@pytest.fixture(params=[{}], ids=["plain"])
def environment(environment: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """An app that takes callbacks in plain, unless a test says more."""
    more: dict[str, str] = request.param
    return environment | {"PUSHJOBS_CALLBACK_TOKEN": TOKEN} | more


def said(**changes: object) -> str:
    """The body of a popup event of the test's one user."""
    head = {"ToUserName": "gh_1", "FromUserName": READER, "CreateTime": 1764000000, "MsgType": "event"}
    return json.dumps(head | {"Event": "subscribe_msg_popup_event", "List": popup("accept")} | changes)


def test_shakes_hands(runtime: Runtime) -> None:
    """WeChat's question whether the address is ours is answered with its echo; nothing is stored."""
    now = str(int(clock.now().timestamp()))
    query = {"signature": signature(TOKEN, now, "1"), "timestamp": now, "nonce": "1", "echostr": "4375120948345356249"}
    assert runtime.callbacks.take(APPID, Callback(method="GET", query=query)) == "4375120948345356249"
    assert event_states(runtime) == []


@pytest.mark.parametrize("environment", [SECURE], indirect=True, ids=["secure"])
def test_takes_secure_pushes(runtime: Runtime) -> None:
    """An app with a key takes what is encrypted for it, and refuses what comes in plain."""
    assert take(runtime, said(), is_secure=True) == "success"
    assert event_states(runtime) == ["waiting"]
    with pytest.raises(UnprovenCallback, match="Encrypt is missing"):
        take(runtime, said(CreateTime=1764000001))
    assert event_states(runtime) == ["waiting"]


def test_two_items_that_say_the_same_are_one(runtime: Runtime) -> None:
    """One push that lists an item twice stores it once."""
    assert take(runtime, said(List=[popup("accept")] * 2)) == "success"
    assert event_states(runtime) == ["waiting"]


@pytest.mark.parametrize("environment", [FORWARDS], indirect=True, ids=["forwards"])
def test_many_are_kept_together(runtime: Runtime) -> None:
    """Callbacks that come at once are read one by one and stored in one transaction, repeats among them once."""
    door = runtime.callbacks
    bodies = [said(CreateTime=1764000000 + number % 50) for number in range(100)]
    takings = [door.read(APPID, pushed(body)) for body in bodies]
    assert event_states(runtime) == []
    door.keep(takings)
    assert {taking.answer for taking in takings} == {"success"}
    assert event_states(runtime) == ["waiting"] * 50
    assert ask(runtime, "SELECT count(*) FROM pushjobs.pushes") == [(50,)]


@pytest.mark.parametrize("environment", [FORWARDS], indirect=True, ids=["forwards"])
def test_repeats_that_come_at_once_are_stored_once(runtime: Runtime) -> None:
    """Eight doors that get the same callbacks at the same time store each once, and all of them answer."""
    door = runtime.callbacks
    bodies = [pushed(said(CreateTime=1764000000 + number)) for number in range(50)]

    def keep(number: int) -> set[str]:
        takings = [door.read(APPID, body) for body in (bodies if number % 2 else reversed(bodies))]
        door.keep(takings)
        return {taking.answer for taking in takings}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(keep, range(16))) == [{"success"}] * 16
    assert len(event_states(runtime)) == 50
    assert ask(runtime, "SELECT count(*) FROM pushjobs.pushes") == [(50,)]


def test_what_is_refused_leaves_nothing(runtime: Runtime) -> None:
    """A forged, an unreadable and another app's callback are refused by name, and nothing of them is stored."""
    forged = Callback(method="POST", query={"signature": "0" * 40, "timestamp": "1", "nonce": "1"}, body=b"{}")
    with pytest.raises(UnprovenCallback, match="signature"):
        runtime.callbacks.take(APPID, forged)
    with pytest.raises(InvalidCallback, match="body is neither JSON nor XML"):
        take(runtime, "no")
    with pytest.raises(NotFound, match="compare the address with the appid"):
        take(runtime, said(), appid="wxanother")
    assert event_states(runtime) == []


def test_without_a_token_no_callback_is_taken(settings: Settings) -> None:
    """Without a token nothing proves a callback: the setting is named."""
    runtime = Runtime(settings.model_copy(update={"callback_token": None}))
    with pytest.raises(Misconfigured, match="PUSHJOBS_CALLBACK_TOKEN"):
        take(runtime, said())
    runtime.close()


def test_what_has_an_unknown_shape_is_told_of(runtime: Runtime) -> None:
    """An event of ours that nobody can read is answered, for WeChat would only repeat it, and emitted as trouble."""
    told: list[Event] = []
    read = Callbacks(APPID, token=TOKEN, aes_key=None)
    door = Door(
        runtime.database, runtime.app().terms, read, lookup=runtime.connections.lookup, sealer=None, emit=told.append
    )
    vars(runtime.app())["callbacks"] = door
    assert take(runtime, said(List={"TemplateId": "T", "SubscribeStatusString": "ban"})) == "success"
    assert told == [EventsUnreadable(app_no=1, items=1)]
    assert event_states(runtime) == []


def test_other_pushes_are_kept_only_to_be_forwarded(runtime: Runtime) -> None:
    """A customer's message is answered and, where the app has no door of its own, forgotten."""
    assert take(runtime, json.dumps(MESSAGE)) == "success"
    assert ask(runtime, "SELECT count(*) FROM pushjobs.pushes") == [(0,)]


@pytest.mark.parametrize("environment", [FORWARDS], indirect=True, ids=["forwards"])
def test_every_push_is_kept_sealed_until_it_is_forwarded(runtime: Runtime) -> None:
    """Where the app has a door of its own, every push is stored once and sealed: no user or content is to be seen."""
    for _ in range(2):
        take(runtime, json.dumps(MESSAGE, ensure_ascii=False))
        take(runtime, said())
    [(rows,)] = ask(runtime, "SELECT string_agg(p::text, ' ') FROM pushjobs.pushes p")
    assert ask(runtime, "SELECT count(*) FROM pushjobs.pushes WHERE sealed IS NOT NULL") == [(2,)]
    for secret in (READER, READER.encode().hex(), "你好", "你好".encode().hex()):
        assert secret not in rows


def test_a_callback_shows_nothing_of_itself() -> None:
    """Whatever shows a request or what was read of it, no user and no content is to be seen."""
    callback = Callback(method="POST", query={"openid": READER}, body=READER.encode())
    assert repr(callback) == "Callback(method='POST')"
    assert READER not in repr(Push(message=READER, told=(), unread=0, encrypted=READER))
