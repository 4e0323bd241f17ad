"""From a callback to our words: what is proven, what is refused and why, and every shape WeChat's events come in."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.receipt import Told
from pushjobs.errors import InvalidCallback, UnprovenCallback
from pushjobs.wechat.crypto import Cipher, signature
from pushjobs.wechat.events import LARGEST_BODY, WINDOW_SECONDS, Callback, Callbacks, Handshake, Push
from tests.unit.wechat.callback_shapes import (
    AT,
    JSON_SHAPES,
    TEMPLATE,
    USER,
    XML_SHAPES,
    event,
    given_,
    receipt,
    withdrawn,
)
from tests.unit.wechat.callback_vectors import ENCRYPTED_EVENT, ENCRYPTED_PUSH, EVENT, KEY, OFFICIAL_APPID, PUSH, TOKEN

PLAIN = Callbacks(OFFICIAL_APPID, token=TOKEN, aes_key=None)
SECURE = Callbacks(OFFICIAL_APPID, token=TOKEN, aes_key=KEY)


def signed(body: bytes | str, **changes: str) -> Callback:
    """Push a body as WeChat does in plain; `changes` go into the query."""
    timestamp = str(int(AT.timestamp()))
    query = {"signature": signature(TOKEN, timestamp, "20260101"), "timestamp": timestamp, "nonce": "20260101"}
    return Callback(method="POST", query=query | changes, body=body.encode() if isinstance(body, str) else body)


def secured(encrypted: str, **more: str) -> Callback:
    """Push a ciphertext as WeChat does in secure mode; `more` goes beside it, as in compatible mode."""
    timestamp = str(int(AT.timestamp()))
    query = {
        "signature": signature(TOKEN, timestamp, "20260101"),
        "msg_signature": signature(TOKEN, timestamp, "20260101", encrypted),
        "timestamp": timestamp,
        "nonce": "20260101",
        "encrypt_type": "aes",
    }
    return Callback(method="POST", query=query, body=json.dumps(more | {"Encrypt": encrypted}).encode())


def push(callbacks: Callbacks, callback: Callback) -> Push:
    """Read a push at its own moment."""
    read = callbacks.read(callback, now=AT)
    assert isinstance(read, Push)
    return read


def told(body: str) -> tuple[Told, ...]:
    """Say what a plain push tells; all of it must be readable."""
    read = push(PLAIN, signed(body))
    assert read.unread == 0
    return read.told


def test_shakes_hands_with_the_official_vector() -> None:
    """The echo of a signed GET goes back unchanged, with and without a key."""
    query = {
        "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
        "timestamp": "1714036504",
        "nonce": "1514711492",
        "echostr": "4375120948345356249",
    }
    now = datetime.fromtimestamp(1714036504, UTC)
    for callbacks in (PLAIN, SECURE):
        read = callbacks.read(Callback(method="GET", query=query), now=now)
        assert read == Handshake(echo="4375120948345356249")


def test_reads_the_official_plain_push() -> None:
    """The signature of the official plain POST proves it; an event of no concern tells nothing."""
    query = {"signature": "899cf89e464efb63f54ddac96b0a0a235f53aa78", "timestamp": "1714037059", "nonce": "486452656"}
    now = datetime.fromtimestamp(1714037059, UTC)
    read = PLAIN.read(Callback(method="POST", query=query, body=PUSH), now=now)
    assert read == Push(message=PUSH.decode(), told=(), unread=0, encrypted=None)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_reads_the_official_secure_push(form: str) -> None:
    """The official secure POST is proven by msg_signature and decrypted, from either wrapping."""
    body = json.dumps({"ToUserName": "gh_97417a04a28d", "Encrypt": ENCRYPTED_PUSH})
    if form == "xml":
        body = f"<xml><ToUserName>gh_97417a04a28d</ToUserName><Encrypt><![CDATA[{ENCRYPTED_PUSH}]]></Encrypt></xml>"
    query = {
        "signature": "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
        "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
        "timestamp": "1714112445",
        "nonce": "415670741",
        "openid": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
        "encrypt_type": "aes",
    }
    now = datetime.fromtimestamp(1714112445, UTC)
    read = SECURE.read(Callback(method="POST", query=query, body=body.encode()), now=now)
    assert read == Push(message=PUSH.decode(), told=(), unread=0, encrypted=ENCRYPTED_PUSH)


def test_reads_an_encrypted_receipt() -> None:
    """A sent event in secure mode is a receipt in our words."""
    read = push(SECURE, secured(ENCRYPTED_EVENT))
    assert read == Push(message=EVENT.decode(), told=(receipt(),), unread=0, encrypted=ENCRYPTED_EVENT)


def test_compatible_mode_is_read_from_what_is_proven() -> None:
    """With a key, what stands in plain beside the ciphertext is not looked at: its signature does not cover it."""
    forged = json.loads(event("subscribe_msg_popup_event", List={"TemplateId": "T", "SubscribeStatusString": "accept"}))
    assert push(SECURE, secured(ENCRYPTED_EVENT, **forged)).told == (receipt(),)


def test_compatible_mode_is_read_in_plain_without_a_key() -> None:
    """Without a key, the plain half is what counts, and the ciphertext is kept for whoever has one."""
    body = json.dumps(json.loads(EVENT) | {"Encrypt": ENCRYPTED_EVENT})
    read = push(PLAIN, signed(body))
    assert (read.told, read.encrypted) == ((receipt(),), ENCRYPTED_EVENT)


@pytest.mark.parametrize(
    ("body", "expected"), [shape[1:] for shape in JSON_SHAPES], ids=[shape[0] for shape in JSON_SHAPES]
)
def test_reads_every_shape_of_json(body: str, expected: tuple[Told, ...]) -> None:
    """One object or an array, wrapped or not, strings or numbers: the same words come out."""
    assert told(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"), [shape[1:] for shape in XML_SHAPES], ids=[shape[0] for shape in XML_SHAPES]
)
def test_reads_every_shape_of_xml(body: str, expected: tuple[Told, ...]) -> None:
    """XML says the same as JSON."""
    assert told(body) == expected


@pytest.mark.parametrize(
    "message",
    [
        {"MsgType": "text", "Content": "你好", "Event": "subscribe_msg_sent_event"},
        {"MsgType": "event", "Event": "user_enter_tempsession"},
        {"MsgType": "event", "Event": ["subscribe_msg_sent_event"]},
        {"Something": "else"},
    ],
    ids=["message", "event", "list", "nothing known"],
)
def test_what_is_no_news_tells_nothing(message: Mapping[str, object]) -> None:
    """Messages and other features' events are proven pushes that tell nothing and are passed on whole."""
    body = json.dumps(message, ensure_ascii=False)
    assert push(PLAIN, signed(body)) == Push(message=body, told=(), unread=0, encrypted=None)


@pytest.mark.parametrize(
    ("body", "unread"),
    [
        (event("subscribe_msg_sent_event"), 1),
        (event("subscribe_msg_sent_event", List=[]), 1),
        (event("subscribe_msg_sent_event", List=["text", {"TemplateId": TEMPLATE}]), 2),
        (event("subscribe_msg_sent_event", List={"TemplateId": "a b", "ErrorCode": 0}), 1),
        (event("subscribe_msg_popup_event", List={"TemplateId": "T", "SubscribeStatusString": "ban"}), 1),
        (event("subscribe_msg_change_event", List={"TemplateId": "T", "SubscribeStatusString": "accept"}), 1),
        (event("subscribe_msg_sent_event", FromUserName=7, List={"TemplateId": "T", "ErrorCode": 0}), 1),
        (event("subscribe_msg_sent_event", CreateTime=2**40, List={"TemplateId": "T", "ErrorCode": 0}), 1),
        (event("subscribe_msg_sent_event", CreateTime=True, List={"TemplateId": "T", "ErrorCode": 0}), 1),
    ],
    ids=["no list", "empty", "no code", "template", "ban", "change to accept", "user", "far future", "time"],
)
def test_items_of_an_unknown_shape_are_counted(body: str, unread: int) -> None:
    """A known event whose items nobody can read is no refusal (WeChat would only repeat it), but it is told of."""
    read = push(PLAIN, signed(body))
    assert (read.told, read.unread) == ((), unread)


@pytest.mark.parametrize("name", ["signature", "timestamp", "nonce"])
@pytest.mark.parametrize(("value", "fault"), [("", "is missing"), ("签名\n", "is no short printable text")])
def test_a_query_without_its_proof_is_refused_by_name(name: str, value: str, fault: str) -> None:
    """Whatever the signature needs and the query lacks is named."""
    with pytest.raises(UnprovenCallback, match=rf"^{name} {fault}"):
        push(PLAIN, signed(EVENT, **{name: value}))


@pytest.mark.parametrize(
    "changes", [{"signature": "0" * 40}, {"nonce": "20260102"}, {"timestamp": "1620963429"}], ids=str
)
def test_an_unsigned_callback_is_refused(changes: dict[str, str]) -> None:
    """A signature that another token, nonce or moment gave proves nothing."""
    with pytest.raises(UnprovenCallback, match=r"^signature is not what the token gives"):
        push(PLAIN, signed(EVENT, **changes))


def test_another_ciphertext_under_the_same_signature_is_refused() -> None:
    """msg_signature covers the ciphertext: the plain signature beside it proves nothing."""
    callback = secured(ENCRYPTED_EVENT)
    other = Callback(method="POST", query=callback.query, body=secured(ENCRYPTED_PUSH).body)
    with pytest.raises(UnprovenCallback, match=r"^msg_signature is not what the token gives"):
        push(SECURE, other)


@pytest.mark.parametrize("away", [-WINDOW_SECONDS - 1, WINDOW_SECONDS + 1])
def test_a_callback_of_another_time_is_refused(away: int) -> None:
    """A signature is good for five minutes before and after its moment, and no longer."""
    callback = signed(EVENT)
    within = timedelta(seconds=WINDOW_SECONDS if away > 0 else -WINDOW_SECONDS)
    assert isinstance(PLAIN.read(callback, now=AT + within), Push)
    with pytest.raises(UnprovenCallback, match=r"^timestamp is not of now"):
        PLAIN.read(callback, now=AT + timedelta(seconds=away))


def test_a_plain_push_to_an_app_with_a_key_is_refused() -> None:
    """Whoever saw one signature could forge any plain body: a key means that nothing comes in plain."""
    with pytest.raises(UnprovenCallback, match=r"^Encrypt is missing"):
        push(SECURE, signed(EVENT))


def test_an_encrypted_push_to_an_app_without_a_key_names_the_setting() -> None:
    """What cannot be opened says what to set."""
    with pytest.raises(InvalidCallback, match="PUSHJOBS_CALLBACK_AES_KEY"):
        push(PLAIN, signed(json.dumps({"ToUserName": "gh_1", "Encrypt": ENCRYPTED_EVENT})))


@pytest.mark.parametrize(
    ("encrypted", "fault"),
    [
        (Cipher("B" * 43, OFFICIAL_APPID).encrypt(EVENT), "was encrypted under another key"),
        (Cipher(KEY, "wxanother").encrypt(EVENT), "was encrypted for another app"),
        (Cipher(KEY, OFFICIAL_APPID).encrypt(b"\xff"), "is not UTF-8"),
    ],
    ids=["key", "app", "text"],
)
def test_what_does_not_open_is_refused(encrypted: str, fault: str) -> None:
    """Another key and another app's message are told apart."""
    with pytest.raises(InvalidCallback, match=rf"^Encrypt {fault}"):
        push(SECURE, secured(encrypted))


BOMB = '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><xml><Event>&c;</Event></xml>'


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"\xff", "is not UTF-8"),
        (b"", "is neither JSON nor XML"),
        (b"no", "is neither JSON nor XML"),
        (b"<xml><open></xml>", "is neither JSON nor XML"),
        (b'<?xml version="1.0" encoding="klingon"?><xml/', "is neither JSON nor XML"),
        (BOMB.encode(), "has a DTD"),
        (b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x'><x/>", "has a DTD"),
        (b"[1]", "is no object"),
        (b"<xml>text</xml>", "is no object"),
        (b"[" * 2000, "is neither JSON nor XML"),
        (b" " * (LARGEST_BODY + 1), f"has {LARGEST_BODY + 1:,} bytes"),
    ],
    ids=["bytes", "empty", "word", "open", "encoding", "entities", "dtd", "array", "text", "deep", "large"],
)
def test_a_body_nobody_can_read_is_refused(body: bytes, fault: str) -> None:
    """Each way of not being a push is named; entities are never expanded, and nothing is read beyond the cap."""
    with pytest.raises(InvalidCallback, match=rf"^body {fault}"):
        push(PLAIN, signed(body))


def test_deep_xml_is_read_no_deeper_than_news_lies() -> None:
    """Ten thousand elements one in the other are a push that tells nothing."""
    body = "<a>" * 9_000 + "</a>" * 9_000
    assert push(PLAIN, signed(body)).told == ()


def test_another_method_is_refused() -> None:
    """WeChat uses two."""
    with pytest.raises(InvalidCallback, match=r"^method is neither"):
        PLAIN.read(Callback(method="PUT", query={}), now=AT)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["List", "TemplateId"]), inner),
    max_leaves=6,
)


@given(name=st.sampled_from(["popup", "change", "sent"]), listed=_JSON, wrapped=_JSON)
def test_no_shape_breaks_it(name: str, listed: object, wrapped: object) -> None:
    """Whatever JSON stands where the items should, it is read or counted, never an error of ours."""
    body = event(f"subscribe_msg_{name}_event", List=listed, SubscribeMsgSentEvent=wrapped)
    read = push(PLAIN, signed(body))
    assert read.told == ()
    assert read.unread > 0


def test_nothing_told_shows_its_open_id() -> None:
    """The open id is left out of every representation."""
    for told_ in (receipt(), given_(), withdrawn()):
        assert USER not in repr(told_)
