"""The callback door as WeChat finds it: a real server on a free port, real requests."""

import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from pushjobs import clock
from pushjobs.http.connection import LONGEST_HEAD
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from pushjobs.wechat.crypto import signature
from pushjobs.wechat.events import LARGEST_BODY, Callback
from tests.acceptance.installation import wait_for
from tests.conftest import APPID
from tests.integration.hands import ask
from tests.integration.serving import doors
from tests.integration.telling import AES_KEY, READER, TOKEN, event_states, popup, pushed

AWAY = "does not answer: see `pushjobs doctor`"
NOT_READY = "is not ready: see `pushjobs doctor`"
ANSWER_SECONDS = 2.0
"""A second is promised; the rest is for a busy machine."""


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """An app whose callbacks are encrypted."""
    return environment | {"PUSHJOBS_CALLBACK_TOKEN": TOKEN, "PUSHJOBS_CALLBACK_AES_KEY": AES_KEY}


@pytest.fixture
def client(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the doors."""
    with doors(settings) as made:
        yield made


def said(number: int = 0) -> str:
    """The body of a user's yes, another for each number."""
    head = {"ToUserName": "gh_1", "FromUserName": READER, "CreateTime": 1764000000 + number, "MsgType": "event"}
    return json.dumps(head | {"Event": "subscribe_msg_popup_event", "List": popup("accept")})


def push(client: httpx.Client, callback: Callback, appid: str = APPID) -> httpx.Response:
    """Push a callback as WeChat does."""
    return client.request(
        callback.method, f"/callback/{appid}", params=dict(callback.query), content=callback.body or None
    )


def hello(token: str = TOKEN) -> Callback:
    """WeChat's question whether the address is ours."""
    now = str(int(clock.now().timestamp()))
    query = {"signature": signature(token, now, "1"), "timestamp": now, "nonce": "1", "echostr": "4375120948345356249"}
    return Callback(method="GET", query=query)


def test_shakes_hands(client: httpx.Client) -> None:
    """The echo comes back as plain text and nothing else; asked with another token, not."""
    answer = push(client, hello())
    assert (answer.status_code, answer.text) == (200, "4375120948345356249")
    assert answer.headers["content-type"].startswith("text/plain")
    refused = push(client, hello("othertoken"))
    assert (refused.status_code, refused.text) == (403, "Forbidden")


def test_takes_a_push_and_its_repeat(client: httpx.Client, runtime: Runtime) -> None:
    """12.17 A push is stored before it is answered; its repeat is answered alike and not stored again."""
    for _ in range(2):
        answer = push(client, pushed(said(), is_secure=True))
        assert (answer.status_code, answer.text) == (200, "success")
        assert event_states(runtime) == ["waiting"]


def test_keeps_many_that_come_at_once(client: httpx.Client, runtime: Runtime) -> None:
    """Pushes over sixteen connections are each stored once, many in one transaction."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: push(client, pushed(said(number), is_secure=True)), range(400)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, "success")}
    assert event_states(runtime) == ["waiting"] * 400
    [(transactions,)] = ask(runtime, "SELECT count(DISTINCT xmin::text) FROM pushjobs.events")
    assert transactions < 400


def test_another_app_is_as_little_there_as_any_address(client: httpx.Client) -> None:
    """An unknown appid is answered like an address that does not exist."""
    there, nowhere = push(client, pushed(said(), is_secure=True), "wxanother"), client.get("/nowhere")
    assert (there.status_code, there.text) == (nowhere.status_code, nowhere.text) == (404, "Not Found")


def test_what_is_refused_leaves_nothing(
    client: httpx.Client, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    """What is forged, plain, unreadable or no push at all has its status and leaves no row; the log says why, once."""
    good = pushed(said(), is_secure=True)
    forged = Callback(method="POST", query={**good.query, "msg_signature": "0" * 40}, body=good.body)
    with caplog.at_level(logging.WARNING, "pushjobs"):
        assert [push(client, each).status_code for each in (forged, forged, pushed(said()))] == [403] * 3
    assert push(client, Callback(method="POST", query=good.query, body=b"no")).status_code == 400
    assert push(client, Callback(method="POST", query={}, body=b"")).status_code == 400
    assert push(client, Callback(method="DELETE", query=good.query)).status_code == 405
    assert event_states(runtime) == []
    refused = [record for record in caplog.records if record.message == "callbacks_refused"]
    assert [record.__dict__["fault"].partition(":")[0] for record in refused] == [
        "msg_signature is not what the token gives",
        "Encrypt is missing",
        "body is neither JSON nor XML",
    ]
    assert READER not in caplog.text


def test_what_is_too_large_is_not_read(client: httpx.Client) -> None:
    """A body beyond the cap is refused while it comes, and a head that does not end, too; the door goes on."""

    def endless() -> Iterator[bytes]:
        for _ in range(1024):
            yield b"x" * LARGEST_BODY

    query = dict(pushed(said(), is_secure=True).query)
    large = client.post(f"/callback/{APPID}", params=query, content=b"x" * (LARGEST_BODY + 1))
    assert (large.status_code, large.headers["connection"]) == (413, "close")
    # Closed, perhaps while it is still being written.
    with suppress(httpx.WriteError, httpx.ReadError):
        assert client.post(f"/callback/{APPID}", params=query, content=endless()).status_code == 413
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nx: " + b"y" * LONGEST_HEAD)
        assert connection.recv(4096).startswith(b"HTTP/1.1 431 ")
        assert connection.recv(4096) == b""
    assert client.get("/healthz").status_code == 200


def test_a_slow_body_is_not_waited_for(client: httpx.Client) -> None:
    """A push whose body does not come is answered within a second."""
    query = str(httpx.QueryParams(dict(pushed(said(), is_secure=True).query)))
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        begun = clock.monotonic()
        connection.sendall(f"POST /callback/{APPID}?{query} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 503 ")
        assert clock.monotonic() - begun < ANSWER_SECONDS


def test_a_table_that_is_locked_is_answered_within_a_second(client: httpx.Client, runtime: Runtime) -> None:
    """12.17 What cannot be kept in time is answered 503, and taken when WeChat pushes it again."""
    assert push(client, pushed(said(), is_secure=True)).status_code == 200  # the pool has its connection
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("LOCK TABLE pushjobs.events")
        begun = clock.monotonic()
        assert push(client, pushed(said(1), is_secure=True)).status_code == 503
        assert clock.monotonic() - begun < ANSWER_SECONDS
        # A handshake tells nothing that would have to be kept.
        assert push(client, hello()).status_code == 200
    wait_for("it is taken again", lambda: push(client, pushed(said(2), is_secure=True)).status_code == 200)
    # The first one was kept after all, when nobody waited for it any more; its repeat is known.
    assert push(client, pushed(said(1), is_secure=True)).text == "success"
    assert event_states(runtime) == ["waiting"] * 3


def test_it_lives_without_its_servers(settings: Settings) -> None:
    """Without PostgreSQL and Redis the process lives and is not ready, and a push is answered 503."""
    nowhere = {"database_url": "postgresql://nobody@/nothing?host=/nonexistent", "redis_url": "unix:///nonexistent"}
    with doors(settings.model_copy(update=nowhere)) as client:
        assert client.get("/healthz").text == "ok"
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, dict.fromkeys(("database", "redis", "beat", "workers"), AWAY))
        assert push(client, pushed(said(), is_secure=True)).status_code == 503


def test_it_is_ready_with_its_servers(client: httpx.Client, runtime: Runtime) -> None:
    """Of what it needs, each thing is named: Redis, PostgreSQL with our tables in it, beat, workers."""
    runtime.witness.beat()
    ready = client.get("/readyz")
    found = ready.json()
    assert ready.status_code == 503
    assert "pushjobs.ticks: nobody reads it, 0 messages wait" in found.pop("workers")
    assert found == {"database": "ok", "redis": "ok", "beat": "ok"}
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE pushjobs.heartbeat SET at = at - interval '20 s'")
    wait_for("it sees that beat is late", lambda: "last release tick" in client.get("/readyz").json()["beat"])
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("ALTER SCHEMA pushjobs RENAME TO gone")
    wait_for("it misses the tables", lambda: client.get("/readyz").json()["database"] == NOT_READY)
    assert client.get("/readyz").json()["redis"] == "ok"


def test_it_says_whether_it_is_ready_whatever_hangs(settings: Settings) -> None:
    """A Redis and a PostgreSQL that take connections and say nothing hold no answer up, nor those who ask meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        servers = {"database_url": f"postgresql://x@127.0.0.1:{port}/x", "redis_url": f"redis://127.0.0.1:{port}"}
        with doors(settings.model_copy(update=servers)) as client, ThreadPoolExecutor(20) as pool:
            begun = clock.monotonic()
            answers = list(pool.map(lambda _: client.get("/readyz"), range(20)))
            assert clock.monotonic() - begun < 2.0
            assert client.get("/healthz").text == "ok"
    assert {each.status_code for each in answers} == {503}
    assert "ok" not in answers[0].json().values()


def test_without_a_token_there_is_no_callback_door(settings: Settings) -> None:
    """An app without a callback token has the other doors and not this one."""
    with doors(settings.model_copy(update={"callback_token": None, "callback_aes_key": None})) as client:
        assert push(client, hello()).status_code == 404
        assert client.get("/healthz").status_code == 200
