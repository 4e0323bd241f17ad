"""Documents fetched from real servers: how long, how much, from where, and what is said when it does not work."""

import gzip
import itertools
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from pushjobs.campaigns.fetching import Answer, IPAddress, Reach, anywhere, get, is_public
from pushjobs.errors import ContentUnfetched
from tests.integration.campaigns.site import Asked, Reply, Site

HERE = Reach(may_connect=anywhere)
SHORT = Reach(may_connect=anywhere, seconds=0.5)
MEBIBYTE = 1024 * 1024


def names(**addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """Resolve these names as DNS would, and addresses to themselves; whatever else has none."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        if host.replace(".", "").isdigit():
            return [host]
        if host not in addresses:
            raise socket.gaierror
        return addresses[host].split()

    return resolve


def not_the_second(address: IPAddress) -> bool:
    """Take 127.0.0.2 for an address within, and 127.0.0.1 for one of the internet."""
    return address != ip_address("127.0.0.2")


def fetched(url: str, reach: Reach = HERE, **headers: str) -> Answer:
    answer = get(url, headers, reach)
    assert answer is not None
    return answer


def refusal(url: str, reach: Reach = HERE) -> str:
    with pytest.raises(ContentUnfetched) as caught:
        get(url, {}, reach)
    return str(caught.value)


@contextmanager
def serving(reply: Reply) -> Iterator[Site]:
    with Site(lambda _: reply) as site:
        yield site


def test_a_document_comes_with_what_its_headers_say() -> None:
    """The body, its address, its encoding and the server's marks are kept; the server hears what we are."""
    headers = {"Content-Type": "application/rss+xml; charset=GBK", "ETag": '"a"', "Last-Modified": "Tue"}
    with serving(Reply(body=b"<rss/>", headers=headers)) as site:
        answer = fetched(site.url + "feed?key=1")
    assert answer == Answer(body=b"<rss/>", url=site.url + "feed?key=1", charset="gbk", etag='"a"', last_modified="Tue")
    [asked] = site.asked
    assert asked.path == "/feed?key=1"
    assert asked.headers["host"] == f"127.0.0.1:{site.port}"
    assert asked.headers["user-agent"] == "pushjobs"


def test_marks_that_cannot_be_sent_back_are_not_kept() -> None:
    """A mark of any length or with any bytes would make the next request fail."""
    with serving(Reply(headers={"ETag": '"\xe9"', "Last-Modified": "x" * 501})) as site:
        answer = fetched(site.url)
    assert (answer.etag, answer.last_modified) == (None, None)


def test_what_did_not_change_is_not_sent_again() -> None:
    """A conditional request that is answered 304 has no document; without a condition 304 is no answer."""
    with serving(Reply(status=304)) as site:
        assert get(site.url, {"If-None-Match": '"a"'}, HERE) is None
        assert get(site.url, {"If-Modified-Since": "Tue"}, HERE) is None
        assert "answered with status 304" in refusal(site.url)
    assert [asked.headers.get("if-none-match") for asked in site.asked] == ['"a"', None, None]


@pytest.mark.parametrize("status", [204, 206, 401, 404, 429, 500, 503])
def test_another_status_is_told(status: int) -> None:
    """Whatever is no document is named by its status, with the host and nothing else."""
    with serving(Reply(status=status)) as site:
        assert refusal(site.url + "?key=secret") == f"the feed at 127.0.0.1 answered with status {status}"


def test_packed_documents_are_unpacked() -> None:
    """Gzip is asked for and understood, whatever the case it is named in."""
    with serving(Reply(body=gzip.compress(b"<rss/>"), headers={"Content-Encoding": "GZip"})) as site:
        assert fetched(site.url).body == b"<rss/>"
    assert site.asked[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("packing", "body", "said"),
    [
        ("br", b"x", "is packed in a way it was not asked for"),
        ("gzip, gzip", gzip.compress(b"x", mtime=0), "is packed in a way it was not asked for"),
        ("gzip", b"not packed", "is packed wrongly"),
        ("gzip", gzip.compress(b"<rss/>" * 1000, mtime=0)[:-10], "broke off its answer"),
    ],
    ids=["brotli", "twice", "not packed", "cut off"],  # packed bytes hold the time
)
def test_packed_otherwise_is_refused(packing: str, body: bytes, said: str) -> None:
    """What was not asked for, is none, or ends too soon is told as that."""
    with serving(Reply(body=body, headers={"Content-Encoding": packing})) as site:
        assert said in refusal(site.url)


def test_five_mebibytes_and_no_more() -> None:
    """A document of five mebibytes is taken, one byte more is refused."""
    with serving(Reply(body=b"x" * 5 * MEBIBYTE)) as site:
        assert len(fetched(site.url).body) == 5 * MEBIBYTE
    with serving(Reply(body=b"x" * (5 * MEBIBYTE + 1))) as site:
        assert refusal(site.url) == "the feed at 127.0.0.1 has more than 5 MiB"


def test_a_document_without_an_end_is_given_up() -> None:
    """A server that never stops sending is left at five mebibytes."""
    endless = itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], itertools.repeat(b"x" * MEBIBYTE))
    with serving(Reply(drip=endless)) as site:
        assert "has more than 5 MiB" in refusal(site.url)


def test_a_bomb_is_not_unpacked() -> None:
    """A gibibyte packed into one mebibyte is refused after five, and never takes more room than that."""
    bomb = gzip.compress(b"\x00" * MEBIBYTE * 64) * 16
    with serving(Reply(body=bomb, headers={"Content-Encoding": "gzip"})) as site:
        assert "has more than 5 MiB" in refusal(site.url)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "drip",
    [
        lambda: itertools.repeat(b""),
        lambda: itertools.chain([HEAD], itertools.repeat(b"X-Slow: x\r\n")),
        lambda: itertools.chain([HEAD + b"\r\n"], itertools.repeat(b"x")),
    ],
    ids=["no answer", "head by drops", "body by drops"],
)
def test_whatever_is_slow_has_an_end(drip: Callable[[], Iterator[bytes]]) -> None:
    """The time is for the whole answer: a drop now and then does not prolong it."""
    with serving(Reply(drip=drip())) as site:
        assert refusal(site.url, SHORT) == "the feed at 127.0.0.1 did not answer in full within 0.5 seconds"
        # Nobody goes on listening, though the site goes on.
        for thread in [each for each in threading.enumerate() if each.name == "pushjobs-fetch"]:
            thread.join(10)
            assert not thread.is_alive()


def test_a_name_that_takes_for_ever_has_an_end() -> None:
    """DNS may hold a thread back; whoever waits is told when the time is over."""
    held = threading.Event()

    async def resolve(host: str, port: int) -> Sequence[str]:
        held.wait(60)  # as a system's resolver does: not to be cancelled
        return [host, str(port)]

    said = refusal("http://slow.test/", Reach(may_connect=anywhere, seconds=0.2, resolve=resolve))
    held.set()
    assert said == "the feed at slow.test did not answer in full within 0.2 seconds"


@pytest.mark.parametrize(
    "drip", [b"", b"SSH-2.0-OpenSSH\r\n", HEAD + b"Content-Length: 10\r\n\r\nx"], ids=["nothing", "else", "less"]
)
def test_what_breaks_off_is_told(drip: bytes) -> None:
    """A server that says nothing, something else, or less than it promised has broken off."""
    with serving(Reply(drip=[drip])) as site:
        assert "broke off" in refusal(site.url)


def test_nobody_there() -> None:
    """Where nothing listens, or a name leads nowhere, that is said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert refusal(f"http://127.0.0.1:{free.getsockname()[1]}/") == "no connection to 127.0.0.1 can be made"
    nowhere = Reach(may_connect=anywhere, resolve=names())
    assert refusal("http://gone.test/", nowhere) == "the name gone.test cannot be resolved"


def test_another_address_of_the_name_is_tried() -> None:
    """Where the first address takes no connection, the next one is asked."""
    with serving(Reply(body=b"<rss/>")) as site:
        reach = Reach(may_connect=anywhere, resolve=names(**{"news.test": "127.0.0.9 ::1 127.0.0.1"}))
        assert fetched(f"http://news.test:{site.port}/", reach).body == b"<rss/>"
    assert site.asked[0].headers["host"] == f"news.test:{site.port}"


def test_redirects_are_followed_up_to_five() -> None:
    """Five times, wherever relative addresses lead, and the last address is the document's; a sixth is too many."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.path.removeprefix("/"))
        return Reply(status=301, headers={"Location": f"./{number - 1}"}) if number else Reply(body=b"<rss/>")

    with Site(answer) as site:
        assert fetched(site.url + "5").url == site.url + "0"
        assert refusal(site.url + "6") == "the feed at 127.0.0.1 redirects more than 5 times"
    assert [asked.path for asked in site.asked] == [*(f"/{number}" for number in (5, 4, 3, 2, 1, 0, 6, 5, 4, 3, 2, 1))]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "is no address of http or https"),
        ("ftp://127.0.0.1/", "is no address of http or https"),
        ("http://user:secret@127.0.0.1/", "holds a user name or a password"),
        ("http://127.0.0.1:99999/", "names a port that is none"),
    ],
)
def test_a_redirect_is_looked_at_like_the_first_address(location: str, said: str) -> None:
    """A server cannot lead where nobody could have typed."""
    with serving(Reply(status=302, headers={"Location": location})) as site:
        found = refusal(site.url)
    assert found.startswith(f"the feed's address, or one it redirects to, {said}")
    assert "secret" not in found


def test_a_redirect_to_what_is_no_address() -> None:
    """Nonsense in place of an address is as good as no answer."""
    with serving(Reply(status=302, headers={"Location": "http://[::1"})) as site:
        assert "broke off, or does not speak HTTP" in refusal(site.url)


def test_a_redirect_within_is_refused() -> None:
    """A server of the internet cannot lead to one within: nothing is sent there."""
    with serving(Reply(body=b"<rss/>")) as elsewhere, Site(lambda _: Reply(), host="127.0.0.2") as within:
        assert elsewhere.url != within.url
        with serving(Reply(status=302, headers={"Location": within.url})) as site:
            assert "127.0.0.2 leads to a private address" in refusal(site.url, Reach(may_connect=not_the_second))
            named = Reach(may_connect=not_the_second, resolve=names(**{"127.0.0.2": "127.0.0.2"}))
            assert "leads to a private address" in refusal(site.url, named)
    assert not within.asked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"])
def test_this_machine_is_not_asked(host: str) -> None:
    """However this machine is spelt, it is private, and the setting that would allow it is named."""
    with serving(Reply(body=b"<rss/>")) as site:
        found = refusal(f"http://{host}:{site.port}/", Reach(may_connect=is_public))
    assert "leads to a private address: set PUSHJOBS_PRIVATE_FEEDS" in found
    assert not site.asked


def test_a_name_with_one_private_address_is_not_asked() -> None:
    """One address within among those of a name is enough: none is connected to."""
    reach = Reach(may_connect=not_the_second, resolve=names(**{"news.test": "127.0.0.1 127.0.0.2"}))
    with serving(Reply()) as site:
        assert "news.test leads to a private address" in refusal(f"http://news.test:{site.port}/", reach)
    assert not site.asked


def test_a_name_that_changes_its_mind_leads_nowhere_else() -> None:
    """The name is resolved once, and what is connected to is the address that was judged."""
    answers = iter(["127.0.0.1", "127.0.0.2"])

    async def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        return [next(answers)]

    reach = Reach(may_connect=not_the_second, resolve=resolve)
    with serving(Reply(body=b"<rss/>")) as site:
        assert fetched(f"http://news.test:{site.port}/", reach).body == b"<rss/>"
    assert next(answers) == "127.0.0.2"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name anew, and where it likes."""
    with serving(Reply(body=b"proxy")) as proxy, serving(Reply(body=b"<rss/>")) as site:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert fetched(site.url).body == b"<rss/>"
    assert not proxy.asked


@pytest.fixture
def client_tls(authority: Path) -> ssl.SSLContext:
    """The client's side of TLS, which trusts our authority; its certificate is for the name localhost."""
    return ssl.create_default_context(cafile=str(authority))


def test_a_certificate_is_proven_against_the_name(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """The connection goes to an address, and the certificate must still be the name's."""
    by_name = names(localhost="127.0.0.1", **{"news.test": "127.0.0.1"})
    reach = Reach(may_connect=anywhere, resolve=by_name, ssl_context=client_tls)
    with Site(lambda _: Reply(body=b"<rss/>"), tls=server_tls) as site:
        assert fetched(f"https://localhost:{site.port}/", reach).body == b"<rss/>"
        for host in ("news.test", "127.0.0.1"):
            found = refusal(f"https://{host}:{site.port}/", reach)
            assert found.startswith(f"the certificate of {host} cannot be trusted (")
        stranger = Reach(may_connect=anywhere, resolve=by_name)
        assert "cannot be trusted (self-signed certificate)" in refusal(f"https://localhost:{site.port}/", stranger)
    assert len(site.asked) == 1


def test_a_connection_is_not_used_for_another_name(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    """A redirect to another name at the same address has to prove that name anew."""
    reach = Reach(
        may_connect=anywhere,
        resolve=names(localhost="127.0.0.1", **{"news.test": "127.0.0.1"}),
        ssl_context=client_tls,
    )

    def answer(asked: Asked) -> Reply:
        host = asked.headers["host"].replace("localhost", "news.test")
        return Reply(status=302, headers={"Location": f"https://{host}/"})

    with Site(answer, tls=server_tls) as site:
        assert "the certificate of news.test cannot be trusted" in refusal(f"https://localhost:{site.port}/", reach)
    assert len(site.asked) == 1


def test_what_speaks_no_tls() -> None:
    """A server that speaks plain HTTP where TLS is expected is told as such."""
    with serving(Reply()) as site:
        assert refusal(f"https://127.0.0.1:{site.port}/").startswith("no TLS connection to 127.0.0.1 can be made")


async def test_fetching_within_a_running_loop() -> None:
    """It is a plain call, for whoever has a loop of his own too."""
    with serving(Reply(body=b"<rss/>")) as site:
        assert fetched(site.url).body == b"<rss/>"
