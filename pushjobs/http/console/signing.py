"""Signing in with a client's id and key, less and less often where they are wrong; signing out."""

import asyncio
import math
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request

from pushjobs.domain.client import Client
from pushjobs.errors import NotPermitted, UnknownClient
from pushjobs.http.console.guard import Slowing
from pushjobs.http.permission import Permission
from pushjobs.runtime import Runtime

__all__ = ["Signing", "Tried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of it: a session's token, or a key of the words; `wait`: for how many seconds nobody listens."""

    token: str | None = field(default=None, repr=False)
    fault: str | None = None
    wait: int = 0


class Signing:
    """Signs in and out; used from one event loop. Each address's wrong keys are counted by each process for itself."""

    def __init__(self, runtime: Runtime, permission: Permission) -> None:
        self._runtime = runtime
        self._permission = permission
        self._slowing = Slowing()

    async def sign_in(self, request: Request, client_id: str, key: str) -> Tried:
        """Sign in whoever gives a client's id and its key."""
        address = request.client.host if request.client is not None else ""
        if (wait := self._slowing.wait(address)) > 0:
            return Tried(fault="sign_in.slow", wait=math.ceil(wait))
        try:
            client = await self._permission.authenticate(client_id, key)
            token = await asyncio.to_thread(self._begin, client, key)
        except UnknownClient:
            self._slowing.fail(address)
            return Tried(fault="sign_in.wrong")
        except NotPermitted:
            return Tried(fault="sign_in.no_right")
        self._slowing.succeed(address)
        return Tried(token=token)

    def sign_out(self, token: str) -> None:
        """Sign out; who is not signed in stays so."""
        with suppress(UnknownClient):
            session = self._runtime.sessions.find(token)
            with self._runtime.audit_log.line(session.client, "sign_out"):
                self._runtime.sessions.end(token)

    def _begin(self, client: Client, key: str) -> str:
        with self._runtime.audit_log.line(client, "sign_in"):
            return self._runtime.sessions.begin(client, key)
