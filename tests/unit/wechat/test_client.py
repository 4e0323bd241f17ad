"""What is written for a message, and what each answer means; the faults of the network are the integration tests'."""

from collections.abc import AsyncIterator, Callable

import httpx
import orjson
import pytest

from pushjobs.domain.job import Reason
from pushjobs.domain.message import Content, Lang, Message, MiniProgramState
from pushjobs.domain.outcome import DayOver, Fatal, Outcome, Refused, Retry, Sent, SlowDown, Token, Unknown
from pushjobs.errors import CallRefused, Unreachable
from pushjobs.wechat.client import Client

MESSAGE = Message(touser="OPENID", content=Content(template_id="TPL", data=(("thing1", "订单已发货"),)))

Answer = httpx.Response | httpx.TransportError
Wechat = Callable[[Answer], tuple[Client, list[httpx.Request]]]


@pytest.fixture
async def wechat() -> AsyncIterator[Wechat]:
    """Make clients of a WeChat that gives one answer, or one fault, and notes the requests."""
    replaced: list[httpx.AsyncBaseTransport] = []

    def make(answer: Answer) -> tuple[Client, list[httpx.Request]]:
        requests: list[httpx.Request] = []

        def handle(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            if isinstance(answer, httpx.TransportError):
                raise answer
            return answer

        client = Client("https://wechat.example/", call_timeout=1)
        replaced.append(client._transport)
        client._transport = httpx.MockTransport(handle)
        return client, requests

    yield make
    for transport in replaced:
        await transport.aclose()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b'{"errcode":0,"errmsg":"ok"}', Sent()),
        (200, b'{"errcode":0,"errmsg":"ok","msgid":1988810812324364291}', Sent(msgid=1988810812324364291)),
        (200, b'{"errcode":0,"msgid":"1988810812324364291"}', Sent(msgid=1988810812324364291)),
        (200, b'{"errcode":0,"msgid":"x"}', Sent()),
        (200, b'{"errcode":0,"msgid":true}', Sent()),
        (200, b'{"errcode":0,"msgid":1.5}', Sent()),
        (200, b'{"errcode":0,"msgid":18446744073709551615}', Sent()),
        (200, b'{"errcode":40001}', Token(errcode=40001)),
        (200, b'{"errcode":43101}', Refused(errcode=43101, reason=Reason.NO_CONSENT)),
        (200, b'{"errcode":45009}', DayOver(errcode=45009)),
        (200, b'{"errcode":-1}', Retry(errcode=-1)),
        (200, b'{"errcode":1234567}', Refused(errcode=1234567, reason=Reason.UNLISTED_CODE)),
        (200, b'{"errcode":false}', Unknown(what="the answer has no errcode")),
        (200, b'{"errcode":"0"}', Unknown(what="the answer has no errcode")),
        (200, b'{"errcode":0.0}', Unknown(what="the answer has no errcode")),
        (200, b'{"errcode":null}', Unknown(what="the answer has no errcode")),
        (200, b'{"errcode":10000000000}', Unknown(what="the answer has no errcode")),
        (200, b'{"errmsg":"ok"}', Unknown(what="the answer has no errcode")),
        (200, b"[0]", Unknown(what="the answer is not a JSON object")),
        (200, b"", Unknown(what="the answer is not a JSON object")),
        (200, b"\xff", Unknown(what="the answer is not a JSON object")),
        (201, b'{"errcode":0}', Unknown(what="HTTP 201")),
        (204, b"", Unknown(what="HTTP 204")),
        (301, b'{"errcode":0}', Fatal()),
        (400, b'{"errcode":0}', Fatal()),
        (404, b"", Fatal()),
        (408, b'{"errcode":0}', Unknown(what="HTTP 408")),
        (429, b'{"errcode":0}', SlowDown()),
        (500, b'{"errcode":-1}', Unknown(what="HTTP 500")),
        (504, b"", Unknown(what="HTTP 504")),
    ],
)
async def test_answers(wechat: Wechat, status: int, body: bytes, outcome: Outcome) -> None:
    """12.4 Only HTTP 200 with an integer errcode is a verdict; what may have been carried out otherwise is unknown."""
    client, requests = wechat(httpx.Response(status, content=body))
    assert await client.send(MESSAGE, "token") == outcome
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (httpx.ConnectError("x"), Retry(never_left=True)),
        (httpx.ConnectTimeout("x"), Retry(never_left=True)),
        (httpx.PoolTimeout("x"), Retry(never_left=True)),
        (httpx.ReadTimeout("no answer"), Unknown(what="no answer")),
        (httpx.WriteTimeout("no answer"), Unknown(what="no answer")),
        (httpx.ReadError("lost"), Unknown(what="lost")),
        (httpx.WriteError("lost"), Unknown(what="lost")),
        (httpx.CloseError("lost"), Unknown(what="lost")),
        (httpx.RemoteProtocolError("odd"), Unknown(what="odd")),
    ],
)
async def test_faults(wechat: Wechat, fault: httpx.TransportError, outcome: Outcome) -> None:
    """A fault is an outcome, never an exception; only a fault before the first byte means a later try."""
    client, requests = wechat(fault)
    assert await client.send(MESSAGE, "token") == outcome
    assert len(requests) == 1


async def test_subscribe_message(wechat: Wechat) -> None:
    """A subscribe message goes to its path, its token in the query, its texts as raw UTF-8, without an absent page."""
    client, requests = wechat(httpx.Response(200, content=b'{"errcode":0}'))
    await client.send(MESSAGE, "a/b&c")
    [request] = requests
    assert request.method == "POST"
    assert request.url == "https://wechat.example/cgi-bin/message/subscribe/send?access_token=a%2Fb%26c"
    assert request.headers["content-type"] == "application/json"
    assert "订单已发货".encode() in request.content
    assert orjson.loads(request.content) == {
        "touser": "OPENID",
        "template_id": "TPL",
        "miniprogram_state": "formal",
        "lang": "zh_CN",
        "data": {"thing1": {"value": "订单已发货"}},
    }


async def test_subscribe_message_with_everything(wechat: Wechat) -> None:
    """Page, state and language travel as they were set."""
    client, requests = wechat(httpx.Response(200, content=b'{"errcode":0}'))
    content = Content(
        template_id="TPL",
        data=(("thing1", "x"),),
        page="index?id=1",
        miniprogram_state=MiniProgramState.TRIAL,
        lang=Lang.EN_US,
    )
    await client.send(Message(touser="OPENID", content=content), "token")
    body = orjson.loads(requests[0].content)
    assert (body["page"], body["miniprogram_state"], body["lang"]) == ("index?id=1", "trial", "en_US")


async def test_legacy_message(wechat: Wechat) -> None:
    """A message with a form id goes to the legacy path, with the legacy fields and none of the new ones."""
    client, requests = wechat(httpx.Response(200, content=b'{"errcode":0}'))
    content = Content(
        template_id="TPL", data=(("keyword1", "339208499"),), page="index", emphasis_keyword="keyword1.DATA"
    )
    await client.send(Message(touser="OPENID", content=content, form_id="FORMID"), "token")
    [request] = requests
    assert request.url.path == "/cgi-bin/message/wxopen/template/send"
    assert orjson.loads(request.content) == {
        "touser": "OPENID",
        "template_id": "TPL",
        "page": "index",
        "form_id": "FORMID",
        "emphasis_keyword": "keyword1.DATA",
        "data": {"keyword1": {"value": "339208499"}},
    }


async def test_ask(wechat: Wechat) -> None:
    """A question returns the answer's object; parameters and token go in the query, the body as JSON."""
    client, requests = wechat(httpx.Response(200, content=b'{"data":[1]}'))
    assert await client.ask("POST", "/p", access_token="t", params={"a": "甲"}, body={"b": "乙"}) == {"data": [1]}
    assert dict(requests[0].url.params) == {"a": "甲", "access_token": "t"}
    assert requests[0].content == '{"b":"乙"}'.encode()


async def test_question_refused(wechat: Wechat) -> None:
    """An error code in the answer to a question is raised with its meaning."""
    client, _ = wechat(httpx.Response(200, content=b'{"errcode":40001,"errmsg":"no"}'))
    with pytest.raises(CallRefused, match="40001: access_token invalid") as caught:
        await client.ask("GET", "/p", access_token="t")
    assert caught.value.errcode == 40001


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (httpx.ConnectError("the connection failed"), "the connection failed"),
        (httpx.ReadTimeout("no answer within 1 s"), "no answer within 1 s"),
        (httpx.Response(200, content=b"<html>"), "HTTP 200 without a JSON object"),
        (httpx.Response(200, content=b"[]"), "HTTP 200 without a JSON object"),
        (httpx.Response(502, content=b"{}"), "HTTP 502"),
    ],
)
async def test_question_unanswered(wechat: Wechat, answer: Answer, what: str) -> None:
    """A question that gets no answer says where it was put and what happened, and shows no token."""
    client, _ = wechat(answer)
    with pytest.raises(Unreachable, match=what) as caught:
        await client.ask("GET", "/p", access_token="the-token")
    assert "https://wechat.example" in str(caught.value)
    assert "the-token" not in str(caught.value)


@pytest.mark.parametrize(
    ("errmsg", "said"),
    [
        ("invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: x", "(token call): 203.0.113.7"),
        ("invalid ip 2001:db8::7, not in whitelist", "(token call): 2001:db8::7"),
        ("invalid ip oReader000001", "(token call)"),
        ("invalid ip", "(token call)"),
    ],
)
async def test_names_the_address_that_is_not_on_the_list(wechat: Wechat, errmsg: str, said: str) -> None:
    """Of WeChat's text an address of ours is told, for that is what somebody must enter; nothing else."""
    client, _ = wechat(httpx.Response(200, json={"errcode": 40164, "errmsg": errmsg}))
    with pytest.raises(CallRefused) as caught:
        await client.ask("POST", "/cgi-bin/stable_token")
    assert caught.value.meaning.endswith(said)
