"""The drop-in door of a running installation: real SDKs pointed at it, and its process killed while callers send.

Counted at the sandbox. In each SDK only the address of WeChat's API is changed.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from wechatpy.client import WeChatClient
from wechatpy.client.api import WeChatWxa
from wechatpy.exceptions import WeChatClientException

from pushjobs import clock
from pushjobs.clients import NewKey
from pushjobs.domain.job import JobState
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS, LEGACY_REFUND
from tests.acceptance.installation import Up, news, wait_for

SDKS = Path(__file__).parent / "sdks"
HOW_TO = Path(__file__).parents[2] / "docs/how-to/point-your-sdk-at-us.md"
DATA = {"thing1": {"value": "第1条"}, "thing2": {"value": "今日要闻"}, "date3": {"value": "2026年12月1日"}}
LEGACY_DATA = {f"keyword{number}": {"value": f"第{number}"} for number in range(1, 6)}
SENDS, CALLERS = 300, 12
SHANGHAI_AHEAD = timedelta(hours=8)

Calls = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def options() -> Sequence[str]:
    """With the HTTP doors, on a free port."""
    return ["--http", "0"]


@pytest.fixture
def host(up: Up) -> str:
    """Where our door is."""
    return up.address("http")


@pytest.fixture
def client(push: Runtime) -> NewKey:
    """A client of the door, which knows the app's templates."""
    push.catalogue.sync()
    return push.clients.add(f"client {uuid4()}")


def arrived(sandbox: SandboxClient, count: int) -> list[dict[str, Any]]:
    """Wait for so many messages, and return what came."""
    wait_for(f"{count} arrived", lambda: sandbox.summary().accepted == count)
    return [received.body for received in sandbox.log()]


# wechatpy ships no types.
class Wxa(WeChatWxa):  # type: ignore[misc]
    """wechatpy's Mini Program calls, at another address."""

    API_BASE_URL = ""


class Wechatpy(WeChatClient):  # type: ignore[misc]
    """wechatpy as its users point it at another host: its address of the token call is written into the method."""

    wxa = Wxa()

    def fetch_access_token(self) -> Any:  # noqa: ANN401 - wechatpy's own
        """Ask for a token at the same host as everything else."""
        query = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
        return self._fetch_access_token(url=f"{self.API_BASE_URL}token", params=query)


@pytest.fixture
def wechatpy(host: str, client: NewKey) -> Iterator[Wechatpy]:
    """A wechatpy client of our door."""

    class Pointed(Wechatpy):
        API_BASE_URL = f"{host}/cgi-bin/"

    class PointedWxa(Wxa):
        API_BASE_URL = f"{host}/"

    Pointed.wxa = PointedWxa()
    made = Pointed(client.client.id, client.key)
    yield made
    made._http.close()


def test_wechatpy_sends(wechatpy: Wechatpy, sandbox: SandboxClient, push: Runtime) -> None:
    """send_subscribe_message and send_template_message arrive as they were meant; their answers name our jobs."""
    subscribe = wechatpy.wxa.send_subscribe_message("oReader1", DAILY_NEWS, DATA, page="index")
    legacy = wechatpy.wxa.send_template_message("oReader2", LEGACY_REFUND, LEGACY_DATA, "FORM-1", page="index")
    bodies = arrived(sandbox, 2)
    assert {body["touser"] for body in bodies} == {"oReader1", "oReader2"}
    assert {body.get("form_id") for body in bodies} == {None, "FORM-1"}
    ids = [subscribe["msgid"], legacy["msgid"]]
    wait_for("both are settled", lambda: {push.producer.get(each).state for each in ids} == {JobState.SENT})


def test_wechatpy_refreshes_its_token(wechatpy: Wechatpy, sandbox: SandboxClient) -> None:
    """A token that is good no more is exchanged for another, and the message sent with that."""
    wechatpy.session.set(wechatpy.access_token_key, "a-token-of-yesterday", 7200)
    assert wechatpy.wxa.send_subscribe_message("oReader1", DAILY_NEWS, DATA)["errcode"] == 0
    assert wechatpy.session.get(wechatpy.access_token_key) != "a-token-of-yesterday"
    assert len(arrived(sandbox, 1)) == 1


def test_wechatpy_hears_what_is_wrong(wechatpy: Wechatpy, push: Runtime, client: NewKey) -> None:
    """A refusal is its exception with WeChat's code; a client that is revoked hears 40125 and stops asking."""
    with pytest.raises(WeChatClientException) as refused:
        wechatpy.wxa.send_subscribe_message("oReader1", DAILY_NEWS, DATA, page="/index")
    assert (refused.value.errcode, "page begins with a slash" in refused.value.errmsg) == (41030, True)
    push.clients.revoke(client.client.id)

    def fault() -> int:
        with pytest.raises(WeChatClientException) as ended:
            wechatpy.wxa.send_subscribe_message("", DAILY_NEWS, DATA)
        return int(ended.value.errcode)

    wait_for("the door knows of it", lambda: fault() == 40125, 5)


def test_wechatpy_manages_templates(wechatpy: Wechatpy) -> None:
    """The template calls of before 2020, which are those that it has, answer what WeChat answers."""
    titles = wechatpy.wxa.list_library_templates(0, 5)
    title = (titles["list"] if isinstance(titles, dict) else titles)[0]["id"]
    keywords = wechatpy.wxa.get_library_template(title)["keyword_list"]
    added = wechatpy.wxa.add_template(title, [each["keyword_id"] for each in keywords[:2]])
    template_id = added["template_id"] if isinstance(added, dict) else added
    listed = wechatpy.wxa.list_templates(0, 20)
    assert template_id in {each["template_id"] for each in (listed["list"] if isinstance(listed, dict) else listed)}
    assert wechatpy.wxa.del_template(template_id)["errcode"] == 0


def test_wechatpy_logs_users_in(wechatpy: Wechatpy, sandbox: SandboxClient) -> None:
    """code_to_session takes the client's id and key where it took appid and secret."""
    sandbox.add_login_code("code-1", "oReader1")
    assert wechatpy.wxa.code_to_session("code-1")["openid"] == "oReader1"


def test_the_how_to_s_example_runs(host: str, client: NewKey, sandbox: SandboxClient, push: Runtime) -> None:
    """What the how-to says of wechatpy is all that is needed; it prints the number of a job that arrives."""
    [example] = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    ours = {"PUSH_HOST": host, "PUSH_ID": client.client.id, "PUSH_KEY": client.key}
    done = subprocess.run(
        [sys.executable, "-c", example],
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert push.producer.get(int(done.stdout)).client == client.client.name
    assert [body["touser"] for body in arrived(sandbox, 1)] == ["OPENID"]


@pytest.fixture
def node(host: str, client: NewKey, tmp_path: Path) -> Calls:
    """Make calls with an SDK for Node, in a process of its own."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no `node` on this machine: SDKs that are written for it cannot run")
    if not (SDKS / "node_modules").is_dir():
        pytest.skip("the SDKs for Node are not installed: `make install-dev` does it where there is an npm")

    def call(script: str, *calls: Sequence[Any], token: str | None = None) -> list[Any]:
        done = subprocess.run(
            [program, str(SDKS / script), host, client.client.id, client.key, str(tmp_path)],
            input=json.dumps({"token": token, "calls": calls}),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        said: list[Any] = json.loads(done.stdout)
        return said

    return call


def test_co_wechat_api_sends(node: Calls, sandbox: SandboxClient, push: Runtime) -> None:
    """co-wechat-api sends both kinds of messages, with a token that it had to refresh; a refusal has WeChat's code."""
    sent, legacy, refused = node(
        "co_wechat_api.cjs",
        ["sendSubscribeMessage", "oReader1", DAILY_NEWS, "index", DATA],
        ["sendMiniProgramTemplate", "oReader2", LEGACY_REFUND, "index", "FORM-2", LEGACY_DATA, "#173177"],
        ["sendSubscribeMessage", "", DAILY_NEWS, "index", DATA],
        token="a-token-of-yesterday",
    )
    assert {body["touser"] for body in arrived(sandbox, 2)} == {"oReader1", "oReader2"}
    assert {push.producer.get(answer["msgid"]).template_id for answer in (sent, legacy)} == {DAILY_NEWS, LEGACY_REFUND}
    assert refused["errcode"] == 40003


def test_co_wechat_api_logs_users_in(node: Calls, sandbox: SandboxClient) -> None:
    """Its login call works with the client's id and key."""
    sandbox.add_login_code("code-2", "oReader2")
    assert node("co_wechat_api.cjs", ["code2Session", "code-2"])[0]["openid"] == "oReader2"


def test_node_easywechat_sends(node: Calls, sandbox: SandboxClient, push: Runtime) -> None:
    """node-easywechat sends with a stable token, on time where it says one, and lists templates; msgids stay exact."""
    message = {"touser": "oReader1", "template_id": DAILY_NEWS, "data": DATA}
    later = {**message, "touser": "oReader2", "time": "2099-12-01 08:00:00", "reference": "YY1"}
    sandbox.add_login_code("code-3", "oReader3")
    sent, waiting, listed, refused, user = node(
        "node_easywechat.cjs",
        ["post", "cgi-bin/message/subscribe/send", message],
        ["post", "cgi-bin/message/subscribe/send", later],
        ["get", "wxaapi/newtmpl/gettemplate", {}],
        ["post", "cgi-bin/message/subscribe/send", {**message, "data": {}}],
        ["codeToSession", "code-3"],
    )
    assert [body["touser"] for body in arrived(sandbox, 1)] == ["oReader1"]
    assert (sent["errcode"], push.producer.get(waiting["msgid"]).reference) == (0, "YY1")
    assert DAILY_NEWS in {each["priTmplId"] for each in listed["data"]}
    assert "47003" in json.dumps(refused)
    assert user["openid"] == "oReader3"


def test_the_article_s_request_is_delivered_at_its_time(
    host: str, client: NewKey, sandbox: SandboxClient, push: Runtime
) -> None:
    """The article's request, by plain HTTP as it stands but for its year, arrives at the second that its time says."""
    article: dict[str, Any] = {
        "touser": "OPENID",
        "template_id": LEGACY_REFUND,
        "page": "index",
        "form_id": "FORMID",
        "data": {
            "keyword1": {"value": "訂單編號"},
            "keyword2": {"value": "訂單金額"},
            "keyword3": {"value": "訂單不存在"},
            "keyword4": {"value": "2019-01-01 10:00"},
            "keyword5": {"value": "退款失敗"},
        },
    }
    moment = (clock.now() + timedelta(seconds=5)).replace(microsecond=0)
    article["time"] = f"{moment + SHANGHAI_AHEAD:%Y-%m-%d %H:%M:%S}"
    with httpx.Client(base_url=host, trust_env=False) as plain:
        query = {"grant_type": "client_credential", "appid": client.client.id, "secret": client.key}
        token = plain.get("/cgi-bin/token", params=query).json()["access_token"]
        query = {"access_token": token}
        answer = plain.post("/cgi-bin/message/wxopen/template/send", params=query, json=article).json()
        assert answer == {"errcode": 0, "errmsg": "ok", "msgid": push.producer.find()[0].id}
    [body] = arrived(sandbox, 1)
    assert body["data"]["keyword3"] == {"value": "訂單不存在"}
    [received] = sandbox.log()
    assert 0 <= received.arrived_at - moment.timestamp() < 1


def test_what_was_answered_arrives_and_nothing_arrives_twice(up: Up, push: Runtime, sandbox: SandboxClient) -> None:
    """The process is killed twice while twelve callers send, each asking again under its key until it is answered.

    Every answered number is a job that arrives, and every user gets one message.
    """
    push.catalogue.sync()
    client = push.clients.add("killed")
    host = up.address("http")
    query = {"grant_type": "client_credential", "appid": client.client.id, "secret": client.key}
    token = httpx.get(f"{host}/cgi-bin/token", params=query, trust_env=False).json()["access_token"]
    done = count()

    def send(number: int) -> int:
        body: dict[str, Any] = {**news(number), "idempotency_key": f"send {number}"}
        answers: list[dict[str, Any]] = []

        def is_answered() -> bool:
            with suppress(httpx.TransportError):
                address = f"{host}/cgi-bin/message/subscribe/send"
                query = {"access_token": token}
                answers.append(httpx.post(address, params=query, json=body, timeout=10, trust_env=False).json())
            return bool(answers) and answers[-1]["errcode"] == 0

        wait_for(f"send {number} is answered", is_answered, 60)
        if next(done) in {SENDS // 4, SENDS // 2} and (door := up.door()) is not None:
            with suppress(ProcessLookupError):
                os.kill(door, signal.SIGKILL)
        return int(answers[-1]["msgid"])

    first = up.door()
    with ThreadPoolExecutor(CALLERS) as pool:
        ids = list(pool.map(send, range(SENDS)))
    assert len(set(ids)) == SENDS
    wait_for("all arrived", lambda: sandbox.summary().accepted >= SENDS, 60)
    wait_for("all are settled", lambda: push.producer.counts()[JobState.SENT] == SENDS, 60)
    summary = sandbox.summary()
    assert (summary.accepted, summary.repeats) == (SENDS, 0)
    assert up.door() != first
