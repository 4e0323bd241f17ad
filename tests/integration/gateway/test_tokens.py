"""Whom the drop-in door lets in: tokens, scopes and rates, as WeChat words them."""

from concurrent.futures import ThreadPoolExecutor

import httpx
from freezegun import freeze_time

from pushjobs import clock
from pushjobs.access import TOKEN_SECONDS
from pushjobs.clients import NewKey
from pushjobs.http.gateway import _LARGEST_BODY
from pushjobs.runtime import Runtime
from pushjobs.sandbox import paths
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from tests.acceptance.installation import wait_for
from tests.conftest import APPID, SECRET
from tests.integration.drop_in import LATER, MESSAGE, SEND, Post, said, token_call, token_of


def test_exchanges_id_and_key_for_a_token(door: httpx.Client, shop: NewKey) -> None:
    """Either call gives a token of two hours; the stable one the same again, unless it is forced."""
    given = token_call(door, shop.client.id, shop.key)
    assert given.keys() == {"access_token", "expires_in"}
    assert given["expires_in"] == TOKEN_SECONDS
    wanted = {"grant_type": "client_credential", "appid": shop.client.id, "secret": shop.key}
    stable = [said(door.post(paths.STABLE_TOKEN, json=wanted)) for _ in range(2)]
    assert stable[0]["access_token"] == stable[1]["access_token"]
    forced = said(door.post(paths.STABLE_TOKEN, json={**wanted, "force_refresh": True}))
    tokens = {given["access_token"], stable[0]["access_token"], forced["access_token"]}
    assert len(tokens) == 3
    for token in tokens:
        assert len(token) <= 512
        assert said(door.post(SEND, params={"access_token": token}, json=MESSAGE | {"time": LATER}))["errcode"] == 0


def test_any_token_can_be_read(worker: Runtime, shop: NewKey) -> None:
    """Whatever the moment it is made at, and so its length, a token is its client's."""
    worker.clients.refresh()
    tokens = [worker.access_tokens.make(shop.client).text for _ in range(5000)]
    assert len({len(token) for token in tokens}) > 1
    assert {worker.access_tokens.read(token).id for token in tokens} == {shop.client.id}


def test_answers_malformed_requests_as_wechat_does(door: httpx.Client, worker: Runtime, shop: NewKey) -> None:
    """Wrong methods, missing parameters and bodies that are none have the same codes at both doors."""
    wechat = httpx.Client(base_url=worker.settings.wechat_base_url, trust_env=False)
    ours = {"client_credential": (shop.client.id, shop.key)}
    tokens = {
        door: token_of(door, shop),
        wechat: token_call(wechat, APPID, SECRET)["access_token"],
    }
    credentials = {door: ours["client_credential"], wechat: (APPID, SECRET)}
    grant = {"grant_type": "client_credential"}
    expected = []
    for one in (door, wechat):
        name, key = credentials[one]
        query = {"access_token": tokens[one]}
        answers = [
            one.post(paths.TOKEN, params=grant),
            one.get(paths.STABLE_TOKEN),
            one.post(paths.STABLE_TOKEN, content=b""),
            one.post(paths.STABLE_TOKEN, content=b"[]"),
            one.get(paths.TOKEN, params={"grant_type": "password", "appid": name, "secret": key}),
            one.get(paths.TOKEN, params=grant | {"secret": key}),
            one.get(paths.TOKEN, params=grant | {"appid": name}),
            one.get(paths.TOKEN, params=grant | {"appid": name, "secret": "0" * 64}),
            one.get(SEND, params=query),
            one.post(SEND, json=MESSAGE),
            one.post(SEND, params={"access_token": "x" * 512}, json=MESSAGE),
            one.post(SEND, params=query, content=b""),
            one.post(SEND, params=query, content=b"touser=1"),
            one.post(SEND, params=query, content=b"[]"),
            one.post(SEND, params=query, content=b"x" * (_LARGEST_BODY + 1)),
            one.post(paths.UNIFORM_SEND, params=query, json={}),
        ]
        expected.append([said(answer)["errcode"] for answer in answers])
    assert expected[0] == expected[1]
    wechat.close()


def test_nobody_is_told_which_ids_exist(door: httpx.Client, shop: NewKey, worker: Runtime) -> None:
    """An id that is none, a revoked one and a wrong key are answered alike; so is a token that is forged or void."""
    gone = worker.clients.add("gone")
    old = token_of(door, gone)
    assert said(door.post(SEND, params={"access_token": old}, json=MESSAGE | {"time": LATER}))["errcode"] == 0
    worker.clients.revoke("gone")
    wait_for("the door knows of it", lambda: token_call(door, gone.client.id, gone.key).get("errcode") == 40125, 3)
    answers = [
        token_call(door, "pj0000000000000000", shop.key),
        token_call(door, gone.client.id, gone.key),
        token_call(door, shop.client.id, gone.key),
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["errcode"] == 40125
    tokens = [old, old[:-1], "x" * 100, "%00é", token_of(door, shop)[:-2] + "AA"]
    refused = [said(door.post(SEND, params={"access_token": token}, json=MESSAGE)) for token in tokens]
    assert [each["errcode"] for each in refused] == [40001] * len(tokens)
    assert len({each["errmsg"] for each in refused}) == 1


def test_a_client_is_known_from_the_moment_it_is_added(door: httpx.Client, worker: Runtime) -> None:
    """However many ask at once for clients that were just added, each is let in; guesses beside them are not."""
    made = [worker.clients.add(f"client {number}") for number in range(8)]
    with ThreadPoolExecutor(16) as pool:
        good = pool.map(lambda each: token_call(door, each.client.id, each.key), made)
        bad = pool.map(lambda each: token_call(door, each.client.id, "guess"), made)
        assert all("access_token" in each for each in good)
        assert {each["errcode"] for each in bad} == {40125}
    another = worker.clients.add("another")
    assert "access_token" in token_call(door, another.client.id, another.key)


def test_a_token_expires(post: Post, door: httpx.Client, shop: NewKey) -> None:
    """After two hours a token is answered 42001, and another is to be had."""
    now = clock.now()
    with freeze_time(now, tick=True, real_asyncio=True) as frozen:
        old = token_of(door, shop)
        frozen.move_to(now.replace(year=now.year + 1))
        assert post(SEND, MESSAGE, token=old)["errcode"] == 42001
        assert post(SEND, MESSAGE | {"time": LATER}, token=token_of(door, shop))["errcode"] == 0


def test_tokens_of_a_key_that_got_out_are_void(post: Post, door: httpx.Client, worker: Runtime, shop: NewKey) -> None:
    """A rotation leaves tokens and the older key good; one at once voids both within a second."""
    old = token_of(door, shop)
    worker.clients.rotate("shop")
    assert "access_token" in token_call(door, shop.client.id, shop.key)
    new = worker.clients.rotate("shop", at_once=True)
    wait_for("the old token is void", lambda: post(SEND, MESSAGE | {"time": LATER}, token=old)["errcode"] == 40001, 3)
    assert token_call(door, shop.client.id, shop.key)["errcode"] == 40125
    assert post(SEND, MESSAGE | {"time": LATER}, token=token_of(door, new))["errcode"] == 0


def test_a_client_s_scopes_hold(post: Post, door: httpx.Client, worker: Runtime) -> None:
    """Beyond its rights, apps and templates a client is answered 48001, whether or not there is such a template."""
    news = token_of(door, worker.clients.add("news", apps=[APPID], templates=[DAILY_NEWS]))
    reader = token_of(door, worker.clients.add("reader", rights=["read"]))
    later = MESSAGE | {"time": LATER}
    assert post(SEND, later, token=news)["errcode"] == 0
    assert post(SEND, later | {"appid": APPID}, token=news)["errcode"] == 0
    refused = [
        post(SEND, later | {"template_id": ORDER_SHIPPED}, token=news),
        post(SEND, later | {"template_id": "no-such-template"}, token=news),
        post(SEND, later | {"appid": "wxother"}, token=news),
        post(SEND, later, token=reader),
        post(paths.ADD_TEMPLATE, {"tid": "1451", "kidList": [5, 6]}, token=news),
        post(paths.DELETE_TEMPLATE, {"priTmplId": ORDER_SHIPPED}, token=news),
        post(paths.DELETE_TEMPLATE, {"priTmplId": DAILY_NEWS}, token=reader),
        post(paths.CONTENT_CHECK, {"content": "x"}, token=news),
    ]
    assert [each["errcode"] for each in refused] == [48001] * len(refused)
    assert len({each["errmsg"] for each in refused}) == 1
    assert post(SEND, later | {"appid": "wxother"})["errcode"] == 40013


def test_a_client_s_rate_holds(post: Post, door: httpx.Client, worker: Runtime) -> None:
    """Whoever goes beyond its own rate is answered 45011, and nobody else is."""
    slow = token_of(door, worker.clients.add("slow", per_second=0.1))
    later = MESSAGE | {"time": LATER}
    assert [post(SEND, later, token=slow)["errcode"] for _ in range(3)] == [0, 45011, 45011]
    assert post(SEND, later)["errcode"] == 0
