"""Answers that the sandbox does not give: what is missing in them, and what our calls make of that."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from pushjobs.errors import CallRefused, Unreachable
from pushjobs.wechat import legacy_templates, login, quota, templates
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.client import SUBSCRIBE_PATH, Client

Wechat = Callable[[dict[str, Any]], AuthorisedClient]


class Tokens:
    """A token that is always good."""

    async def current(self) -> str:
        """Return it."""
        return "TOKEN"


@pytest.fixture
async def wechat() -> AsyncIterator[Wechat]:
    """Calls to a WeChat that gives one answer."""
    replaced: list[httpx.AsyncBaseTransport] = []

    def make(answer: dict[str, Any]) -> AuthorisedClient:
        client = Client("https://wechat.example", call_timeout=1)
        replaced.append(client._transport)
        client._transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
        return AuthorisedClient(client, Tokens())  # type: ignore[arg-type] # all of a token source that is asked here

    yield make
    for transport in replaced:
        await transport.aclose()


@pytest.mark.parametrize("answer", [{"errcode": 200022}, {"errcode": 0, "priTmplId": ""}, {"priTmplId": 5}])
async def test_a_template_without_an_id_is_no_answer(wechat: Wechat, answer: dict[str, Any]) -> None:
    """addtemplate: an answer that does not say which template there is now is told as such, not guessed at."""
    with pytest.raises(Unreachable, match="not under which id"):
        await templates.add_template(wechat(answer), tid="1", kids=[1, 2], scene="")


async def test_a_legacy_template_without_an_id_is_no_answer(wechat: Wechat) -> None:
    """add: the same."""
    with pytest.raises(Unreachable, match="not under which id"):
        await legacy_templates.add_template(wechat({"errcode": 0}), "AT0002", [1])


async def test_a_template_of_a_kind_nobody_knows_has_none(wechat: Wechat) -> None:
    """gettemplate: a type that is neither one-time nor long-term, and content without names, are taken as they are."""
    listed = {"priTmplId": "T", "title": "t", "content": "{{thing1.DATA}}\n{{const2.DATA}}", "type": 9}
    [(_, template)] = await templates.list_templates(wechat({"data": [listed]}))
    assert template.kind is None
    assert [(field.key, field.name) for field in template.fields] == [("thing1", ""), ("const2", "")]


@pytest.mark.parametrize("answer", [{}, {"quota": None, "rate_limit": 5}, {"quota": {"remain": "many"}}])
async def test_a_quota_that_does_not_say_is_none(wechat: Wechat, answer: dict[str, Any]) -> None:
    """quota/get: what an answer does not say is not made up."""
    found = await quota.read(wechat(answer), SUBSCRIBE_PATH)
    assert (found.daily_limit, found.used, found.remain, found.calls) == (None, None, None, None)


@pytest.mark.parametrize("answer", [{}, {"openid": "", "session_key": "k"}, {"openid": "o"}])
async def test_a_login_without_an_open_id_is_no_answer(wechat: Wechat, answer: dict[str, Any]) -> None:
    """jscode2session: an answer without a user is no answer."""
    with pytest.raises(Unreachable, match="without an open id"):
        await login.exchange_code(wechat(answer)._client, appid="wx", secret="s", code="c")


async def test_a_text_of_wechat_s_is_not_repeated_but_for_its_rid(wechat: Wechat) -> None:
    """What WeChat writes may hold what we sent; of it an error keeps the number of the request alone."""
    errmsg = "invalid SECRET-WORD hint: [x] rid: 61725984-6126f6f9-040f19c4"
    with pytest.raises(CallRefused) as caught:
        await templates.list_categories(wechat({"errcode": 20002, "errmsg": errmsg}))
    assert caught.value.rid == "61725984-6126f6f9-040f19c4"
    assert "SECRET-WORD" not in str(caught.value)
