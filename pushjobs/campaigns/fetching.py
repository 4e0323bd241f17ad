"""A document fetched from an address that somebody typed in: soon, not too much of it, and from nowhere within.

Our machines reach what strangers cannot: databases, other services, a cloud's own door for credentials. So each name is
resolved here, every address it has is judged, and the connection goes to the very address that was judged; a name that
is resolved once more may lead elsewhere by then. A redirect is looked at like the first address.

Refuses to: read the environment's proxies, send a name or password, keep a connection for another name, follow more
than five redirects, read more than five mebibytes whether as sent or unpacked, take longer than ten seconds in all.
"""

import asyncio
import socket
import ssl
import threading
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx
import uvloop

from pushjobs.errors import ContentUnfetched

__all__ = ["Answer", "IPAddress", "Reach", "address_fault", "anywhere", "get", "is_public"]

_MOST_BYTES = 5 * 1024 * 1024
_MOST_REDIRECTS = 5
_LONGEST_ADDRESS = 2000
_LONGEST_TAG = 500
_LAST_PORT = 65_535
_ADDRESSES_TRIED = 3
_CHUNK = 64 * 1024

_OK, _NOT_MODIFIED = 200, 304
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GZIP = 16 + zlib.MAX_WBITS
_CONDITIONS = frozenset({"If-None-Match", "If-Modified-Since"})
_HEADERS = {"User-Agent": "pushjobs", "Accept-Encoding": "gzip"}

IPAddress = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Finds the addresses of a name, for a port; raises OSError where it has none."""

_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
# Tunnels whose other end is written into the address (6to4, Teredo), and what IANA keeps for protocols (RFC 6890).
_NOT_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came: its bytes, unpacked, the address they came from in the end, and what its headers say of it."""

    body: bytes = field(repr=False)
    url: str = field(repr=False)
    charset: str | None
    etag: str | None = field(repr=False)
    last_modified: str | None


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def is_public(address: IPAddress) -> bool:
    """Say whether an address is of the public internet; one that leads on to an IPv4 address is as that is."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if address in _NAT64:
            inner = IPv4Address(address.packed[-4:])
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    # Python counts multicast among the global addresses, and before 3.11.10 some of `_NOT_PUBLIC` too.
    return address.is_global and not address.is_multicast and not any(address in each for each in _NOT_PUBLIC)


def anywhere(_: IPAddress) -> bool:
    """Let any address be connected to."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a fetch may go: which addresses, for how many seconds; what tests put in place of DNS and authorities."""

    may_connect: Callable[[IPAddress], bool]
    seconds: float = 10.0
    resolve: Resolve = _resolve
    ssl_context: ssl.SSLContext | None = None


def address_fault(address: str) -> tuple[str, str] | None:
    """Say what is wrong with a typed address and what is allowed, or None for one that may be tried."""
    rule = "give an address such as https://news.example/feed.xml"
    if len(address) > _LONGEST_ADDRESS:
        return f"is {len(address)} characters long", f"an address has up to {_LONGEST_ADDRESS}"
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return "is no address", rule
    if url.scheme not in {"http", "https"} or not url.host:
        return "is no address of http or https", rule
    if url.port is not None and not 0 < url.port <= _LAST_PORT:
        return "names a port that is none", rule
    if url.userinfo:
        return "holds a user name or a password", "give the address without what stands before the @"
    return None


def get(url: str, headers: Mapping[str, str], reach: Reach) -> Answer | None:
    """Fetch a document, None if it is not modified since what the headers say; raises ContentUnfetched.

    Runs in a thread of its own: whatever loop the caller has, and however long DNS holds a thread back, it is over when
    the time is.
    """
    done: Future[Answer | None] = Future()
    threading.Thread(target=_run, args=(url, headers, reach, done), name="pushjobs-fetch", daemon=True).start()
    try:
        return done.result(reach.seconds + 1)
    except TimeoutError:
        raise ContentUnfetched(
            f"the feed at {_host(url)} did not answer in full within {reach.seconds:g} seconds"
        ) from None


def _run(url: str, headers: Mapping[str, str], reach: Reach, done: "Future[Answer | None]") -> None:
    try:
        # uvloop asks DNS in a thread of libuv's: one of Python's would be waited for when the process ends.
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            answer = runner.run(_get(url, headers, reach))
    except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
        done.set_exception(error)
    else:
        done.set_result(answer)


async def _get(url: str, headers: Mapping[str, str], reach: Reach) -> Answer | None:
    context = reach.ssl_context or ssl.create_default_context()
    # A connection belongs to the name its certificate was proven for; httpx would keep it for the address.
    limits = httpx.Limits(max_keepalive_connections=0)
    times = httpx.Timeout(None, connect=reach.seconds / _ADDRESSES_TRIED)
    async with (
        asyncio.timeout(reach.seconds),
        httpx.AsyncClient(trust_env=False, verify=context, timeout=times, limits=limits) as client,
    ):
        here = url
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await _ask(client, _checked(here), headers, reach)
            if not isinstance(answer, str):
                return answer
            here = answer
    raise ContentUnfetched(f"the feed at {_host(url)} redirects more than {_MOST_REDIRECTS} times")


def _checked(address: str) -> httpx.URL:
    if fault := address_fault(address):
        raise ContentUnfetched(f"the feed's address, or one it redirects to, {fault[0]}: {fault[1]}")
    return httpx.URL(address)


async def _ask(
    client: httpx.AsyncClient, url: httpx.URL, headers: Mapping[str, str], reach: Reach
) -> Answer | str | None:
    """Return the document, None if it is not modified, or the address that it is said to be at."""
    response = await _connected(client, url, headers, reach)
    try:
        if response.status_code in _REDIRECTS and "location" in response.headers:
            return str(url.join(response.headers["location"]))
        if response.status_code == _NOT_MODIFIED and not _CONDITIONS.isdisjoint(headers):
            return None
        if response.status_code != _OK:
            raise ContentUnfetched(f"the feed at {url.host} answered with status {response.status_code}")
        body = await _body(response, url.host)
    except httpx.HTTPError:
        raise ContentUnfetched(f"the feed at {url.host} broke off its answer") from None
    finally:
        await response.aclose()
    return Answer(
        body=body,
        url=str(url),
        charset=response.charset_encoding,
        etag=_tag(response, "etag"),
        last_modified=_tag(response, "last-modified"),
    )


async def _connected(
    client: httpx.AsyncClient, url: httpx.URL, headers: Mapping[str, str], reach: Reach
) -> httpx.Response:
    """Ask the first of the name's addresses that takes the connection; each of them has been judged before."""
    host = url.raw_host.decode("ascii")
    ours = {**_HEADERS, **headers, "Host": url.netloc.decode("ascii")}
    # The certificate is proven against the name, though the connection is made to the address.
    extensions = {"sni_hostname": host}
    fault = ContentUnfetched(f"the name {url.host} has no address")
    for address in (await _addresses(url, reach))[:_ADDRESSES_TRIED]:
        request = client.build_request("GET", url.copy_with(host=str(address)), headers=ours, extensions=extensions)
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            fault = ContentUnfetched(_unconnected(url, error))
        except httpx.HTTPError:
            raise ContentUnfetched(f"the feed at {url.host} broke off, or does not speak HTTP") from None
    raise fault from None


async def _addresses(url: httpx.URL, reach: Reach) -> list[IPAddress]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = dict.fromkeys(map(ip_address, await reach.resolve(url.raw_host.decode("ascii"), port)))
    except (OSError, UnicodeError):
        raise ContentUnfetched(f"the name {url.host} cannot be resolved") from None
    if not all(map(reach.may_connect, found)):
        raise ContentUnfetched(
            f"{url.host} leads to a private address: set PUSHJOBS_PRIVATE_FEEDS if feeds may come from within"
        )
    return list(found)


def _unconnected(url: httpx.URL, error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate of {url.host} cannot be trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"no TLS connection to {url.host} can be made ({cause.reason})"
        cause = cause.__cause__ or cause.__context__
    return f"no connection to {url.host} can be made"


async def _body(response: httpx.Response, host: str) -> bytes:
    """Read as much of the answer as may be read; unpacked here, for httpx unpacks whatever a chunk becomes."""
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in {"identity", "gzip", "x-gzip"}:
        raise ContentUnfetched(f"the feed at {host} is packed in a way it was not asked for ({packing[:20]!r})")
    unpacker = None if packing == "identity" else zlib.decompressobj(_GZIP)
    body = bytearray()
    async for chunk in response.aiter_raw(_CHUNK):
        try:
            body += chunk if unpacker is None else unpacker.decompress(chunk, _MOST_BYTES + 1 - len(body))
        except zlib.error:
            raise ContentUnfetched(f"the feed at {host} is packed wrongly") from None
        if len(body) > _MOST_BYTES:
            raise ContentUnfetched(f"the feed at {host} has more than {_MOST_BYTES // 2**20} MiB")
    if unpacker is not None and not unpacker.eof:
        raise ContentUnfetched(f"the feed at {host} broke off its answer")
    return bytes(body)


def _tag(response: httpx.Response, name: str) -> str | None:
    """Return a header that is to be sent back another time, if it can be."""
    value = response.headers.get(name, "")
    return value if 0 < len(value) <= _LONGEST_TAG and value.isascii() and value.isprintable() else None


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return "no address"
