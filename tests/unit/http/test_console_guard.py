"""Whom the console believes, how often one may guess there, and what its cookies are."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from pushjobs.http.console.cookies import Cookies
from pushjobs.http.console.guard import Slowing, comes_from_here
from pushjobs.http.console.visit import Notice


def request(*, scheme: str = "https", client: str = "203.0.113.7", **headers: str) -> Request:
    """A request as a server hands it over."""
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "scheme": scheme, "client": (client, 1), "path": "/console/"}
    return Request({**scope, "headers": given, "query_string": b"", "server": ("here.example", 443)})


@pytest.mark.parametrize(
    ("headers", "is_believed"),
    [
        ({"host": "here.example", "origin": "https://here.example"}, True),
        ({"host": "here.example:8080", "origin": "http://here.example:8080", "sec_fetch_site": "same-origin"}, True),
        ({"host": "here.example", "origin": "https://here.example", "sec_fetch_site": "same-site"}, False),
        ({"host": "here.example", "origin": "https://here.example", "sec_fetch_site": "cross-site"}, False),
        ({"host": "here.example", "origin": "https://there.example"}, False),
        ({"host": "here.example", "origin": "https://here.example.there.example"}, False),
        ({"host": "here.example", "origin": "null"}, False),
        ({"host": "here.example"}, False),
        ({"origin": "https://here.example"}, False),
    ],
)
def test_a_form_comes_from_a_page_of_this_host(headers: dict[str, str], *, is_believed: bool) -> None:
    """What a browser says of where a form is from must be this very host; what says nothing is not believed."""
    assert comes_from_here(request(**headers)) is is_believed


class Clock:
    """A clock that is set forward by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Read it."""
        return self.seconds


def test_guessing_gets_slower_and_slower() -> None:
    """Five wrong keys are free; each further one doubles the wait, up to five minutes; a right one forgives all."""
    clock = Clock()
    slowing = Slowing(clock)
    for _ in range(5):
        slowing.fail("203.0.113.7")
    assert slowing.wait("203.0.113.7") == 0.0
    waits = []
    for _ in range(12):
        slowing.fail("203.0.113.7")
        waits.append(slowing.wait("203.0.113.7"))
        clock.seconds += waits[-1]
        assert slowing.wait("203.0.113.7") == 0.0
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    slowing.fail("203.0.113.7")
    assert slowing.wait("203.0.113.8") == 0.0
    slowing.succeed("203.0.113.7")
    assert slowing.wait("203.0.113.7") == 0.0


def test_a_quarter_of_an_hour_forgives() -> None:
    """Wrong keys of long ago are nothing any more."""
    clock = Clock()
    slowing = Slowing(clock)
    for _ in range(12):
        slowing.fail("203.0.113.7")
    clock.seconds += 901
    assert slowing.wait("203.0.113.7") == 0.0
    slowing.fail("203.0.113.7")
    assert slowing.wait("203.0.113.7") == 0.0


def test_an_ipv6_address_counts_as_its_network() -> None:
    """Who has one address of that kind has as many as there are."""
    slowing = Slowing()
    for number in range(7):
        slowing.fail(f"2001:db8::{number}")
    assert slowing.wait("2001:db8::ffff") > 0
    assert slowing.wait("2001:db8:0:1::1") == 0.0


@pytest.mark.parametrize(
    ("scheme", "client", "is_secure"),
    [
        ("https", "203.0.113.7", True),
        ("https", "127.0.0.1", True),
        ("http", "203.0.113.7", True),
        ("http", "127.0.0.1", False),
        ("http", "::1", False),
    ],
)
def test_cookies_are_secure_where_somebody_could_listen(scheme: str, client: str, *, is_secure: bool) -> None:
    """Each cookie is for the console and no script; but for plain HTTP on this machine it is `Secure`, by name too."""
    response = Response()
    cookies = Cookies(request(scheme=scheme, client=client))
    cookies.sign_in(response, "token")
    cookies.know(response, "visitor")
    cookies.keep(response, "language", "zh")
    cookies.tell(response, Notice(key="notice.cancel"))
    for header in response.headers.getlist("set-cookie"):
        words = {each.strip().lower() for each in header.split(";")}
        assert {"httponly", "path=/console", "samesite=lax"} <= words
        assert ("secure" in words) is header.startswith("__Secure-") is is_secure
    assert len(response.headers.getlist("set-cookie")) == 4


def test_a_cookie_that_could_be_listened_to_signs_nobody_in_under_tls() -> None:
    """What was set without TLS has another name, and is not read where TLS is spoken."""
    plain = "pushjobs_session=token"
    assert Cookies(request(scheme="http", client="127.0.0.1", cookie=plain)).read("session") == "token"
    assert Cookies(request(cookie=plain)).read("session") is None


@pytest.mark.parametrize(
    "written", ["", "!", "bm90IGpzb24=", "WzFd", "WyJzdGF0ZS5kZWFkIiwge31d", "WyJub3RpY2UueCIsIDFd"]
)
def test_a_notice_that_is_none_says_nothing(written: str) -> None:
    """Whatever stands in its cookie: only a notice of ours is shown."""
    cookies = Cookies(request(cookie=f"__Secure-pushjobs_notice={written}"))
    assert cookies.notice() is None
