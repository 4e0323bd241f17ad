"""One POST to an address of a client's choice: to the name that proves itself, and to nowhere within."""

import asyncio
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pushjobs.campaigns.fetching import Reach, anywhere, is_public
from pushjobs.posting import Post
from tests.integration.own_door import OwnDoor

PUBLIC, OURS, NOBODY_S = "93.184.216.34", "127.0.0.1", "127.0.0.2"


@pytest.fixture
def client_tls(authority: Path) -> ssl.SSLContext:
    """Our side of TLS, which trusts the tests' authority; its certificate is for the name localhost."""
    return ssl.create_default_context(cafile=str(authority))


def posted(url: str, *addresses: str, **reach: Any) -> str | None:  # noqa: ANN401 - what a reach is made with
    """Post to an address whose name has these addresses; return what was wrong."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        return addresses

    async def post() -> str | None:
        made = Post(Reach(**{"may_connect": anywhere, "resolve": resolve, "seconds": 5.0, **reach}))
        try:
            return await made.post(url, b"{}", {"webhook-id": "msg_1"})
        finally:
            await made.aclose()

    return asyncio.run(post())


def test_the_name_is_proven_though_the_address_is_called(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    """The connection goes to the address that was judged; the certificate and `Host` are the name's."""
    with OwnDoor(tls=server_tls) as door:
        assert posted(f"https://localhost:{door.port}/", OURS, ssl_context=client_tls) is None
        [taken] = door.taken
        assert (taken.headers["host"], taken.headers["webhook-id"]) == (f"localhost:{door.port}", "msg_1")
        fault = "no connection can be made, or no TLS"
        assert posted(f"https://shop.test:{door.port}/", OURS, ssl_context=client_tls) == fault
        assert posted(f"https://localhost:{door.port}/", OURS) == fault
    assert len(door.taken) == 1


@pytest.mark.parametrize("addresses", [(OURS,), (PUBLIC, OURS), ("::1",), ("169.254.169.254",), ("10.0.0.1",)])
def test_a_name_that_leads_within_is_not_called(addresses: Sequence[str]) -> None:
    """One private address among a name's is enough: which of them is taken would be the name's choice."""
    with OwnDoor() as door:
        fault = posted(f"http://shop.test:{door.port}/", *addresses, may_connect=is_public)
        assert (fault or "").startswith("a private address")
    assert door.taken == []


def test_another_address_is_tried_where_nothing_was_written() -> None:
    """A name with two addresses is told at the second if the first takes no connection, once."""
    with OwnDoor() as door:
        assert posted(f"http://shop.test:{door.port}/", NOBODY_S, OURS) is None
    assert len(door.taken) == 1


def test_a_door_that_does_not_answer_is_left() -> None:
    """The whole of a POST has its time, whatever the other side does with it."""
    ended = threading.Event()

    def answer(_: object) -> tuple[int, str]:
        ended.wait(30)
        return 200, ""

    with OwnDoor(answer=answer) as door:
        assert posted(door.url, OURS, seconds=0.3) == "no answer within 0.3 seconds"
        ended.set()
    assert len(door.taken) == 1


def test_no_proxy_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment would resolve the name anew, and where it likes."""
    with OwnDoor() as proxy, OwnDoor() as door:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert posted(door.url, OURS) is None
    assert (len(proxy.taken), len(door.taken)) == (0, 1)


def test_a_name_that_is_none_is_a_fault_in_words() -> None:
    """Nobody of that name, or a name without an address, waits for another try like any other trouble."""

    async def resolve(_: str, __: int) -> Sequence[str]:
        raise OSError

    assert posted("http://shop.test/", resolve=resolve) == "the name cannot be resolved"
    assert posted("http://shop.test/") == "the name has no address"
