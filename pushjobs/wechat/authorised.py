"""The rare calls of one app that need its access token.

A token that WeChat does not accept is renewed once and the call made once more: the refusal proves that nothing was
carried out. Nothing else is ever repeated.
"""

from collections.abc import Container, Mapping
from typing import Any

from pushjobs.domain.outcome import Token
from pushjobs.errors import CallRefused
from pushjobs.wechat import errcodes
from pushjobs.wechat.client import Client
from pushjobs.wechat.tokens import TokenSource

__all__ = ["AuthorisedClient"]


class _AllButTokens:
    """The codes that do not speak of the access token."""

    def __contains__(self, errcode: object) -> bool:
        return not (isinstance(errcode, int) and isinstance(errcodes.read(errcode), Token))


class AuthorisedClient:
    """Calls WeChat for one app; used within the event loop of its client."""

    def __init__(self, client: Client, tokens: TokenSource) -> None:
        self._client = client
        self._tokens = tokens

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Make a GET call; raises CallRefused or Unreachable."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str, body: object, *, accepting: Container[int] = ()) -> dict[str, Any]:
        """Make a POST call; raises CallRefused, but for codes that are `accepting` as an answer, or Unreachable."""
        return await self._ask("POST", path, body=body, accepting=accepting)

    async def relay(self, method: str, path: str, *, params: Mapping[str, str], body: object) -> dict[str, Any]:
        """Make somebody else's call and return WeChat's answer, a refusal as well; raises CallRefused, Unreachable.

        What it refuses is our own token alone: the caller has none.
        """
        return await self._ask(method, path, params=params, body=body, accepting=_AllButTokens())

    async def _ask(self, method: str, path: str, **call: Any) -> dict[str, Any]:  # noqa: ANN401 - as `Client.ask` has them
        token = await self._tokens.current()
        try:
            return await self._client.ask(method, path, access_token=token, **call)
        except CallRefused as refused:
            if not isinstance(errcodes.read(refused.errcode), Token):
                raise
        return await self._client.ask(method, path, access_token=await self._tokens.renew(token), **call)
