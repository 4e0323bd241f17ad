"""The two clients: the same conversations carried out in threads, or in an event loop.

Thin: what is asked, what is repeated and what an answer means is `conversation`'s. Each keeps one pool of connections.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from pushjobs import clock, settings
from pushjobs.client.answers import Answer
from pushjobs.client.conversation import Conversation, Lost, Request, Said, Verbs
from pushjobs.domain.job import Job, JobState
from pushjobs.errors import Misconfigured
from pushjobs.rejections import Report

if TYPE_CHECKING:
    from typing import Unpack

    from pushjobs.inspection import Why
    from pushjobs.request import JobArguments

__all__ = ["AsyncClient", "Client"]

_T = TypeVar("_T")

_TIMEOUT = 10.0
# A connection that is idle for longer may be closed by the door at the moment of the next request.
_POOL = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=3.0)
_DIGITS, _LAST_PORT = 5, 65535
_JSON = {"Content-Type": "application/json"}
_UNREAD = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NO_TRUST = "CERTIFICATE_VERIFY_FAILED"
_MAY_PASS = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)


class _Sender:
    """What both are: the verbs, for one app."""

    _verbs: Verbs

    def app(self, appid: str) -> Self:
        """Return the same verbs for the app `appid`, over the same connections; what it returns need not be closed.

        Whether the installation has such an app is found out when it is used.
        """
        made = copy(self)
        made._verbs = Verbs(appid)  # noqa: SLF001 - one of its own kind
        return made


class Client(_Sender):
    """The verbs over HTTP; safe to share between threads, not between processes.

    `url` is the door's address, `client_id` and `key` what `pushjobs client add` printed; what is left out is read from
    PUSHJOBS_URL, PUSHJOBS_CLIENT_ID and PUSHJOBS_CLIENT_KEY. `timeout`: seconds that one request may take; a verb makes
    up to six, with some seconds between them in all. `verify`: an SSL context for an authority of your own.

    A `job_id` is enough, whichever of the client's apps the job is of. `touser` is a user's open id, `template_id`
    WeChat's id of a template. What is another client's app or template is answered as if it were not there.

    Every method raises Unreachable when the door does not answer, or PostgreSQL not the door; Overloaded when it has
    too much to do, or the client asks more often than it may; UnknownClient, NotPermitted when it may not. Raises
    Misconfigured when address, id or key are missing or wrong.
    """

    def __init__(
        self,
        url: str | None = None,
        client_id: str | None = None,
        key: str | None = None,
        *,
        timeout: float = _TIMEOUT,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._verbs = Verbs()
        self._http = httpx.Client(**_options(url, client_id, key), timeout=timeout, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, **arguments: "Unpack[JobArguments]") -> Job:
        """Schedule one push, for now unless `time` says later; return its job.

        `arguments` are those of `JobArguments`, by their names, but for `content`. A `datetime` needs a zone, and a
        `timedelta` as `expires` beside an idempotency key needs a `time` with its offset. Raises InvalidInput (nothing
        was stored), or KeyReused when the idempotency key stands for another body. The same key with the same body
        returns the job it made the first time; a job without one gets a key of its own, so that asking again after a
        lost answer makes no second job.
        """
        return self._run(self._verbs.send(arguments))

    def send_many(self, rows: Iterable[Mapping[str, Any]]) -> Report:
        """Schedule many pushes; `rows` is any iterable of mappings with `send`'s arguments, streamed by 5,000.

        A bad row is reported with its number, from 1, and refused; the good ones are accepted. Each batch is one
        transaction: if the iterable raises, or the door stays away, the batches before stay. Raises InvalidInput for no
        row at all. The lane is bulk unless a row says otherwise.
        """
        return self._run(self._verbs.send_many(rows))

    def get(self, job_id: int) -> Job:
        """Return the job `job_id`; raises NotFound, also when it is closed for longer than jobs are kept."""
        return self._run(self._verbs.get(job_id))

    def find(  # noqa: PLR0913 - one argument a filter
        self,
        *,
        reference: str | None = None,
        touser: str | None = None,
        state: str | JobState | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return the app's newest jobs that match everything given, at most `limit` (1 to 1,000), the newest first.

        `reference`, `touser` and `template_id` as they were sent; `state` a `JobState` or its name. `due_after`
        (included) and `due_before` (excluded), written as `time` is, bound when a job is tried next, or was last.
        `before`: the number of a job, for those made before it, the next page. Raises InvalidInput.
        """
        filters = {"reference": reference, "touser": touser, "state": state, "template_id": template_id}
        bounds = {"due_after": due_after, "due_before": due_before}
        return self._run(self._verbs.find({**filters, **bounds}, before=before, limit=limit))

    def cancel(
        self,
        job_id: int | None = None,
        *,
        reference: str | None = None,
        touser: str | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
    ) -> int:
        """Cancel the job `job_id`, or every job that matches and that nobody has begun to send; return how many.

        The filters `reference`, `touser`, `template_id`, `due_after` and `due_before` are those of `find`; with none,
        InvalidInput is raised. One job by its number: raises NotFound, or NotPossible when it was begun or is closed.
        By filters it is asked once: after Unreachable, what was cancelled is not known; asking again cancels the rest.
        """
        if job_id is not None:
            return self._run(self._verbs.cancel(job_id))
        filters = {"reference": reference, "touser": touser, "template_id": template_id}
        return self._run(self._verbs.cancel_matching({**filters, "due_after": due_after, "due_before": due_before}))

    def reschedule(self, job_id: int, *, time: object, expires: object = None) -> Job:
        """Move the job `job_id`, which nobody has begun to send, to another `time`; return it as it is then.

        Written as in `send`; its deadline moves along unless `expires` is given. Raises NotFound, NotPossible when it
        was begun or is closed, InvalidMoment.
        """
        return self._run(self._verbs.reschedule(job_id, time=time, expires=expires))

    def why(self, job_id: int) -> "Why":
        """Say why the job `job_id` is where it is, which rule holds it, and when it is tried next; raises NotFound."""
        return self._run(self._verbs.why(job_id))

    def _run(self, conversation: Conversation[_T]) -> _T:
        said: Said = None
        while True:
            try:
                step = conversation.send(said)
            except StopIteration as ended:
                result: _T = ended.value
                return result
            if isinstance(step, Request):
                said = self._perform(step)
            else:
                clock.pause(step.seconds)
                said = None

    def _perform(self, request: Request) -> Answer | Lost:
        try:
            return _answer(self._http.request(request.method, request.path, content=request.body, headers=_JSON))
        except httpx.RequestError as error:
            return _lost(error, self._http.base_url)


class AsyncClient(_Sender):
    """The same verbs for an event loop, and for one of them: as `Client`, but awaited.

    Arguments, values and errors are those of `Client`. Close it with `aclose`, or use it as an asynchronous context
    manager.
    """

    def __init__(
        self,
        url: str | None = None,
        client_id: str | None = None,
        key: str | None = None,
        *,
        timeout: float = _TIMEOUT,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._verbs = Verbs()
        self._http = httpx.AsyncClient(**_options(url, client_id, key), timeout=timeout, verify=verify)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, **arguments: "Unpack[JobArguments]") -> Job:
        """Schedule one push; as `Client.send`."""
        return await self._run(self._verbs.send(arguments))

    async def send_many(self, rows: Iterable[Mapping[str, Any]]) -> Report:
        """Schedule many pushes; as `Client.send_many`."""
        return await self._run(self._verbs.send_many(rows))

    async def get(self, job_id: int) -> Job:
        """Return a job; as `Client.get`."""
        return await self._run(self._verbs.get(job_id))

    async def find(  # noqa: PLR0913 - one argument a filter
        self,
        *,
        reference: str | None = None,
        touser: str | None = None,
        state: str | JobState | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return the newest jobs that match everything given; as `Client.find`."""
        filters = {"reference": reference, "touser": touser, "state": state, "template_id": template_id}
        bounds = {"due_after": due_after, "due_before": due_before}
        return await self._run(self._verbs.find({**filters, **bounds}, before=before, limit=limit))

    async def cancel(
        self,
        job_id: int | None = None,
        *,
        reference: str | None = None,
        touser: str | None = None,
        template_id: str | None = None,
        due_after: object = None,
        due_before: object = None,
    ) -> int:
        """Cancel one job, or every job that matches; as `Client.cancel`."""
        if job_id is not None:
            return await self._run(self._verbs.cancel(job_id))
        filters = {"reference": reference, "touser": touser, "template_id": template_id}
        return await self._run(
            self._verbs.cancel_matching({**filters, "due_after": due_after, "due_before": due_before})
        )

    async def reschedule(self, job_id: int, *, time: object, expires: object = None) -> Job:
        """Move a job that nobody has begun to another time; as `Client.reschedule`."""
        return await self._run(self._verbs.reschedule(job_id, time=time, expires=expires))

    async def why(self, job_id: int) -> "Why":
        """Say why a job is where it is; as `Client.why`."""
        return await self._run(self._verbs.why(job_id))

    async def _run(self, conversation: Conversation[_T]) -> _T:
        said: Said = None
        while True:
            try:
                step = conversation.send(said)
            except StopIteration as ended:
                result: _T = ended.value
                return result
            if isinstance(step, Request):
                said = await self._perform(step)
            else:
                await asyncio.sleep(step.seconds)
                said = None

    async def _perform(self, request: Request) -> Answer | Lost:
        try:
            called = self._http.request(request.method, request.path, content=request.body, headers=_JSON)
            return _answer(await called)
        except httpx.RequestError as error:
            return _lost(error, self._http.base_url)


def _options(url: str | None, client_id: str | None, key: str | None) -> dict[str, Any]:
    """Return what both clients of httpx are made with; raises Misconfigured."""
    if url is None or client_id is None or key is None:
        found = settings.given()
        secret = None if found.client_key is None else found.client_key.get_secret_value()
        url, client_id, key = url or found.url, client_id or found.client_id, key or secret
    for value, variable in ((url, "URL"), (client_id, "CLIENT_ID"), (key, "CLIENT_KEY")):
        # Once in a header, a line's end would be complained of together with the key.
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            fault = "holds a blank or a character that none has" if value else "is not set, and was not given"
            raise Misconfigured(f"PUSHJOBS_{variable} {fault}: `pushjobs client add` makes a client of the door")
    return {
        "base_url": _address(url or ""),
        "headers": {"Authorization": f"Bearer {client_id}.{key}", "User-Agent": "pushjobs.client"},
        "limits": _POOL,
        # A proxy or a password file of this machine's is nothing that anybody meant for the door.
        "trust_env": False,
    }


def _address(url: str) -> httpx.URL:
    with suppress(httpx.InvalidURL):
        address = httpx.URL(url)
        is_bare = not (address.query or address.fragment or address.userinfo)
        if address.scheme in {"http", "https"} and address.host and (address.port or 0) <= _LAST_PORT and is_bare:
            return address
    raise Misconfigured("PUSHJOBS_URL is no address of a door: write it as https://push.example.com")


def _answer(response: httpx.Response) -> Answer:
    wait = response.headers.get("retry-after", "")
    return Answer(
        status=response.status_code,
        media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        body=response.content,
        retry_after=float(wait) if wait.isascii() and wait.isdecimal() and len(wait) <= _DIGITS else None,
    )


def _lost(error: httpx.RequestError, url: httpx.URL) -> Lost:
    # Only of a failed connection the words are told: they may say that a certificate is no good.
    words = f": {error}" if isinstance(error, httpx.ConnectError) and str(error) else ""
    may_pass = isinstance(error, _MAY_PASS) and _NO_TRUST not in words
    return Lost(
        words=f"the door at {url.host} does not answer ({type(error).__name__}{words})",
        is_unread=isinstance(error, _UNREAD),
        may_pass=may_pass,
    )
