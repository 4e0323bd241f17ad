"""Every way a call can fail, done by a real server: the outcome, and how many requests the server had read."""

import asyncio
import socket
import ssl
import struct
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from weakref import WeakSet

import pytest
from aiohttp.client_proto import ResponseHandler
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pushjobs import clock
from pushjobs.domain.message import Content, Message
from pushjobs.domain.outcome import Fatal, Outcome, Retry, Sent, SlowDown, Unknown
from pushjobs.errors import Unreachable
from pushjobs.wechat.client import Client
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.transport import Transport, _is_usable

MESSAGE = Message(touser="OPENID", content=Content(template_id="TPL", data=(("thing1", "订单已发货"),)))
NEVER_LEFT = Retry(never_left=True)
TOKEN = "the-token"


class Server:
    """A server that counts connections and requests, and behaves as each test wants."""

    def __init__(self, behave: "Behaviour") -> None:
        self.url = ""
        self.connections = 0
        self.requests: list[bytes] = []
        self.has_closed = asyncio.Event()
        self._behave = behave

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it when the behaviour ends."""
        self.connections += 1
        try:
            await self._behave(Wire(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone
        finally:
            writer.close()
            self.has_closed.set()


class Wire:
    """The server's end of one connection."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.is_first = server.connections == 1
        self._requests = server.requests
        self._reader = reader
        self._writer = writer

    async def read(self) -> None:
        """Read one whole request."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        self._requests.append(head + await self._reader.readexactly(length))

    async def write(self, raw: bytes) -> None:
        """Write these bytes."""
        self._writer.write(raw)
        await self._writer.drain()

    async def wait(self) -> None:
        """Say nothing until the client is gone."""
        await self._reader.read()

    def reset(self) -> None:
        """Close so that the client sees a reset."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Behaviour = Callable[[Wire], Awaitable[None]]


def answer(body: bytes = b'{"errcode":0,"errmsg":"ok","msgid":7}', status: str = "200 OK", headers: str = "") -> bytes:
    """Write out a whole answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def keep_answering(wire: Wire) -> None:
    """Behave well."""
    while True:
        await wire.read()
        await wire.write(answer())


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server that behaves like this, on a free port."""
    server = Server(behave)
    listener = await asyncio.start_server(server.accept, "127.0.0.1", 0, ssl=tls)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()


@asynccontextmanager
async def calling(
    url: str,
    *,
    call_timeout: float = 5.0,
    connect_timeout: float = 3.0,
    max_connections: int = 100,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """Make a client and close it."""
    client = Client(
        url,
        call_timeout=call_timeout,
        connect_timeout=connect_timeout,
        max_connections=max_connections,
        ssl_context=ssl_context,
    )
    try:
        yield client
    finally:
        await client.aclose()


async def send_once(behave: Behaviour, *, call_timeout: float = 5.0) -> tuple[Outcome, int]:
    """Send one message to a server that behaves like this; return the outcome and the number of requests it read."""
    async with serving(behave) as server, calling(server.url, call_timeout=call_timeout) as client:
        return await client.send(MESSAGE, TOKEN), len(server.requests)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "authority.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def server_tls(authority: Path) -> ssl.SSLContext:
    """Give the server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    return context


# Surely not sent


async def test_connection_refused() -> None:
    """Where nobody listens, the message surely never left."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with calling(f"http://127.0.0.1:{unused.getsockname()[1]}") as client:
            assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT


async def test_unknown_host() -> None:
    """A name that does not resolve means that the message surely never left."""
    async with calling("http://no-such-host.invalid") as client:
        assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT


async def test_no_tls_at_the_other_end() -> None:
    """A TLS handshake that fails leaves the request unread, and the message surely never left."""

    async def speak_first(wire: Wire) -> None:
        await wire.write(answer(status="400 Bad Request"))
        await wire.read()

    async with serving(speak_first) as server, calling(server.url.replace("http:", "https:")) as client:
        assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 0


async def test_untrusted_certificate(server_tls: ssl.SSLContext) -> None:
    """A certificate nobody we trust has signed stops the request before it is written."""
    async with serving(keep_answering, server_tls) as server:
        async with calling(server.url.replace("127.0.0.1", "localhost")) as client:
            assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 0


async def test_silent_handshake() -> None:
    """A server that accepts and then says nothing uses up the time to connect, not the time to answer."""

    async def say_nothing(wire: Wire) -> None:
        await wire.wait()

    async with serving(say_nothing) as server:
        async with calling(server.url.replace("http:", "https:"), connect_timeout=0.1) as client:
            assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 0


async def test_pool_is_full() -> None:
    """A message that waits in vain for a connection surely never left; the one before it is not disturbed."""
    reads, may_answer = asyncio.Event(), asyncio.Event()

    async def answer_late(wire: Wire) -> None:
        await wire.read()
        reads.set()
        await may_answer.wait()
        await wire.write(answer())

    async with serving(answer_late) as server, calling(server.url, max_connections=1, connect_timeout=0.1) as client:
        first = asyncio.create_task(client.send(MESSAGE, TOKEN))
        await reads.wait()
        assert await client.send(MESSAGE, TOKEN) == NEVER_LEFT
        assert len(server.requests) == 1
        may_answer.set()
        assert await first == Sent(msgid=7)


# Maybe sent


async def test_slow_answer() -> None:
    """An answer that does not come in time leaves the outcome unknown."""

    async def never_answer(wire: Wire) -> None:
        await wire.read()
        await wire.wait()

    assert await send_once(never_answer, call_timeout=0.1) == (Unknown(what="no answer within 0.1 s"), 1)


async def test_closed_after_the_request() -> None:
    """A connection closed after the request was read leaves the outcome unknown, and nothing is repeated."""
    assert await send_once(Wire.read) == (Unknown(what="the connection was closed without an answer"), 1)


async def test_reset_after_the_request() -> None:
    """A connection reset after the request was read leaves the outcome unknown."""

    async def reset(wire: Wire) -> None:
        await wire.read()
        wire.reset()

    assert await send_once(reset) == (Unknown(what="the connection was lost before the answer"), 1)


async def test_half_an_answer() -> None:
    """An answer that stops in the middle leaves the outcome unknown."""

    async def stop_halfway(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer()[:-10])

    assert await send_once(stop_halfway) == (Unknown(what="the connection was lost within the answer"), 1)


async def test_reset_within_the_answer() -> None:
    """A connection reset within the answer's body leaves the outcome unknown."""

    async def reset_halfway(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer()[:-10])
        wire.reset()

    outcome, requests = await send_once(reset_halfway)
    assert isinstance(outcome, Unknown)
    assert requests == 1


async def test_dripping_answer() -> None:
    """An answer that drips is given up when its time is over, though each byte comes soon after the last."""

    async def drip(wire: Wire) -> None:
        await wire.read()
        await wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            await wire.write(b" ")
            await asyncio.sleep(0.01)

    assert await send_once(drip, call_timeout=0.2) == (Unknown(what="no answer within 0.2 s"), 1)


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Unknown(what="the answer is not HTTP")),
        (answer(b"<html>busy</html>"), Unknown(what="the answer is not a JSON object")),
        (answer(b" " * ((1 << 20) + 1)), Unknown(what="the answer is longer than a mebibyte")),
        (
            answer(headers="Content-Encoding: gzip\r\n"),
            Unknown(what="the answer is compressed, which was not offered"),
        ),
        (answer(status="502 Bad Gateway"), Unknown(what="HTTP 502")),
        (answer(status="429 Too Many Requests"), SlowDown()),
        (answer(status="302 Found", headers="Location: /elsewhere\r\n"), Fatal()),
        (answer(status="307 Temporary Redirect", headers="Location: /elsewhere\r\n"), Fatal()),
    ],
)
async def test_strange_answers(raw: bytes, outcome: Outcome) -> None:
    """A strange answer is judged by its status, and nothing is followed or repeated."""

    async def answer_strangely(wire: Wire) -> None:
        while True:
            await wire.read()
            await wire.write(raw)

    assert await send_once(answer_strangely) == (outcome, 1)


async def test_lost_question_is_not_repeated() -> None:
    """A GET whose connection is lost after it was read is not repeated behind our back, kept-alive or not."""

    async def answer_one(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer())
        await wire.read()

    async with serving(answer_one) as server, calling(server.url) as client:
        await client.ask("GET", "/wxaapi/newtmpl/gettemplate", access_token=TOKEN)
        with pytest.raises(Unreachable, match="closed without an answer"):
            await client.ask("GET", "/wxaapi/newtmpl/gettemplate", access_token=TOKEN)
        assert len(server.requests) == 2


async def test_no_token_in_the_traceback() -> None:
    """What is raised for a lost call shows the access token nowhere, not even in a context."""
    async with serving(Wire.read) as server, calling(server.url) as client:
        with pytest.raises(Unreachable, match=server.url) as caught:
            await client.ask("GET", "/wxaapi/newtmpl/gettemplate", access_token=TOKEN)
    assert caught.value.__context__ is None
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


# Kept-alive connections


@pytest.mark.parametrize("tls", [False, True])
async def test_connections_are_reused(tls: bool, authority: Path, server_tls: ssl.SSLContext) -> None:
    """Messages one after the other share a connection, with TLS and without, and no cookie sticks."""

    async def set_cookies(wire: Wire) -> None:
        while True:
            await wire.read()
            await wire.write(answer(headers="Set-Cookie: a=b\r\n"))

    trust = ssl.create_default_context(cafile=authority)
    async with serving(set_cookies, server_tls if tls else None) as server:
        async with calling(server.url.replace("127.0.0.1", "localhost"), ssl_context=trust) as client:
            for _ in range(3):
                assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        assert (server.connections, len(server.requests)) == (1, 3)
        assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.fixture
def elsewhere() -> Iterator[LoopThread]:
    """Run another event loop, for a server that goes on while ours is blocked."""
    loop = LoopThread()
    loop.start()
    yield loop
    loop.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_stale_connections(tls: bool, authority: Path, server_tls: ssl.SSLContext, elsewhere: LoopThread) -> None:
    """Connections that the server closed while idle are replaced, also when our loop had no time to notice."""
    may_close = asyncio.Event()

    async def answer_one(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer())
        await may_close.wait()

    async def hang_up(server: Server) -> None:
        may_close.set()
        await server.has_closed.wait()

    trust = ssl.create_default_context(cafile=authority)
    stack = serving(answer_one, server_tls if tls else None)
    server = elsewhere.run(stack.__aenter__())
    async with calling(server.url.replace("127.0.0.1", "localhost"), ssl_context=trust) as client:
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        elsewhere.run(hang_up(server))  # blocks our loop: only the kernel knows that the connection is gone
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
    assert (server.connections, len(server.requests)) == (2, 2)
    elsewhere.run(stack.__aexit__(None, None, None))


@pytest.mark.parametrize("is_noticed", [False, True])
async def test_answer_nobody_asked_for(is_noticed: bool, elsewhere: LoopThread) -> None:
    """An answer that came while nothing was asked is not taken for the next message's, read by our loop or not."""
    may_chatter, has_chattered = asyncio.Event(), asyncio.Event()

    async def chatter(wire: Wire) -> None:
        await wire.read()
        await wire.write(answer())
        await may_chatter.wait()
        if wire.is_first:
            await wire.write(answer(b'{"errcode":43101}'))
            has_chattered.set()
        await keep_answering(wire)

    async def provoke() -> None:
        may_chatter.set()
        await has_chattered.wait()

    stack = serving(chatter)
    server = elsewhere.run(stack.__aenter__())
    async with calling(server.url) as client:
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
        elsewhere.run(provoke())
        while is_noticed and not _has_unread_answer(client):  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0)
        assert await client.send(MESSAGE, TOKEN) == Sent(msgid=7)
    assert len(server.requests) == 2
    elsewhere.run(stack.__aexit__(None, None, None))


@pytest.mark.parametrize("has_served", [False, True])
async def test_kernel_is_asked_first(has_served: bool, elsewhere: LoopThread) -> None:
    """A connection closed by the server is found unusable before our event loop has read a thing."""
    may_close = asyncio.Event()

    async def wait_and_close(_: Wire) -> None:
        await may_close.wait()

    async def hang_up(server: Server) -> None:
        may_close.set()
        await server.has_closed.wait()

    stack = serving(wait_and_close)
    server = elsewhere.run(stack.__aenter__())
    loop = asyncio.get_running_loop()
    port = int(server.url.rpartition(":")[2])
    connection, protocol = await loop.create_connection(lambda: ResponseHandler(loop), "127.0.0.1", port)
    served = WeakSet({protocol} if has_served else ())
    assert _is_usable(protocol, served)
    elsewhere.run(hang_up(server))
    assert not _is_usable(protocol, served)
    connection.close()
    elsewhere.run(stack.__aexit__(None, None, None))


# Slots


async def test_slot_is_awaited_with_the_connection_there() -> None:
    """The slot is awaited with the connection there, longer than connecting may take, before anything is written."""
    seen: list[tuple[int, int]] = []

    async with serving(keep_answering) as server, calling(server.url, connect_timeout=0.1) as client:

        async def slot() -> bool:
            await asyncio.sleep(0.2)
            seen.append((server.connections, len(server.requests)))
            return True

        assert await client.send(MESSAGE, TOKEN, slot=slot) == Sent(msgid=7)
    assert seen == [(1, 0)]


async def test_slot_has_passed() -> None:
    """A message whose slot has passed is not written."""

    async def passed() -> bool:
        return False

    async with serving(keep_answering) as server, calling(server.url) as client:
        assert await client.send(MESSAGE, TOKEN, slot=passed) == NEVER_LEFT
        assert (server.connections, len(server.requests)) == (1, 0)


async def test_server_that_only_closes() -> None:
    """A server that accepts only to close is tried a few times, and the message surely never left."""

    async def close(_: Wire) -> None:
        server.has_closed.clear()

    async with serving(close) as server, calling(server.url) as client:

        async def until_closed() -> bool:
            return await server.has_closed.wait()

        assert await client.send(MESSAGE, TOKEN, slot=until_closed) == NEVER_LEFT
        assert (server.connections, len(server.requests)) == (3, 0)


def _has_unread_answer(client: Client) -> bool:
    """Look into the pool for a connection on which something came unasked."""
    assert isinstance(client._transport, Transport)
    connector = client._transport._session.connector
    assert connector is not None
    return any(protocol.should_close for pool in connector._conns.values() for protocol, _ in pool)
