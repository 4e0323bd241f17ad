"""The two token calls, over HTTP; what takes hours, by the times given to the same objects."""

from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox.answers import Refusal
from pushjobs.sandbox.tokens import Grant, Tokens

Call = Callable[..., Any]
APPID, SECRET = "wxsandbox00000000", "sandbox-secret"
PLAIN, STABLE = "/cgi-bin/token", "/cgi-bin/stable_token"
GOOD = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
CATEGORY = "/wxaapi/newtmpl/getcategory"


def test_stable_token_is_the_same_until_forced(call: Call) -> None:
    """In normal mode the token stays; a forced call replaces it at once, but not twice within 30 s."""
    first = call("POST", STABLE, GOOD)
    assert first["access_token"] == call("POST", STABLE, GOOD)["access_token"]
    assert len(first["access_token"]) == 512
    assert 300 < first["expires_in"] <= 7200
    forced = call("POST", STABLE, GOOD | {"force_refresh": True})["access_token"]
    assert forced != first["access_token"]
    assert call("POST", STABLE, GOOD | {"force_refresh": True})["access_token"] == forced
    assert call("GET", f"{CATEGORY}?access_token={first['access_token']}")["errcode"] == 40001
    assert call("GET", f"{CATEGORY}?access_token={forced}")["errcode"] == 0


def test_plain_token_is_new_each_time(call: Call) -> None:
    """Each call makes a token, the one before still works, and the stable one is not touched."""
    stable = call("POST", STABLE, GOOD)["access_token"]
    query = f"{PLAIN}?grant_type=client_credential&appid={APPID}&secret={SECRET}"
    tokens = [call("GET", query)["access_token"] for _ in range(2)] + [stable]
    assert len(set(tokens)) == 3
    assert {call("GET", f"{CATEGORY}?access_token={token}")["errcode"] for token in tokens} == {0}


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"grant_type": "password"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"appid": APPID.upper()}, 40013),
        ({"secret": "wrong"}, 40125),
    ],
)
def test_refuses_wrong_credentials(call: Call, changes: dict[str, str], errcode: int) -> None:
    """Both calls name what is wrong with the credentials."""
    given = GOOD | changes
    query = "&".join(f"{name}={value}" for name, value in given.items())
    assert call("POST", STABLE, given)["errcode"] == errcode
    assert call("GET", f"{PLAIN}?{query}")["errcode"] == errcode


def test_refuses_the_wrong_method(call: Call) -> None:
    """The plain token is got, the stable one is posted."""
    assert call("POST", PLAIN, GOOD)["errcode"] == 43001
    assert call("GET", STABLE)["errcode"] == 43002
    assert call("POST", STABLE, b"{")["errcode"] == 47001


def test_stable_token_rotates_five_minutes_before_its_end() -> None:
    """From 300 s before its end a call gets a new token; the old one works to its end, then is expired."""
    tokens = Tokens()
    first = tokens.stable(APPID, 0)
    assert tokens.stable(APPID, 6899) is first
    second = tokens.stable(APPID, 6900)
    assert second is not first
    assert tokens.find(first.text, 7199) is first
    assert _code(tokens.find(first.text, 7200)) == 42001
    assert tokens.find(second.text, 7200) is second


def test_replaced_plain_token_has_five_minutes() -> None:
    """A plain token that was replaced works for 300 s more, then is no longer the latest."""
    tokens = Tokens()
    first = tokens.plain(APPID, 0)
    tokens.plain(APPID, 100)
    assert tokens.find(first.text, 399) is first
    assert _code(tokens.find(first.text, 400)) == 40001


def test_forced_calls_are_twenty_a_day() -> None:
    """The 21st forced call of a day in Shanghai is refused; the next day's first is not."""
    tokens = Tokens()
    midnight = 16 * 3600  # UTC+8 begins its day at 16:00 UTC
    assert all(isinstance(tokens.forced(APPID, midnight + 60 * number), Grant) for number in range(20))
    assert _code(tokens.forced(APPID, midnight + 86399)) == 45009
    assert isinstance(tokens.forced(APPID, midnight + 86400), Grant)


def _code(found: Grant | Refusal) -> int | None:
    return found.errcode if isinstance(found, Refusal) else None
