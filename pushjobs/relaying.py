"""Calls of WeChat's that clients make through us: passed on with the app's token, and answered as WeChat answers.

Managing templates, of both generations, and what `PUSHJOBS_PASS_THROUGH` lists; whoever may not make one is not told
whether it is listed. What a client adds or deletes is in the catalogue at once. The app's secret and token never leave.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from pushjobs.account import Account
from pushjobs.catalogue import Catalogue
from pushjobs.domain.client import Client, Right
from pushjobs.errors import CallRefused, Misconfigured, NotPermitted, Unreachable
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.loop import LoopThread

__all__ = ["LOGIN_PATH", "RELAYED", "Relay"]

LOGIN_PATH = "/sns/jscode2session"


class _Does(Enum):
    LOOK = auto()
    ADD = auto()
    DELETE = auto()


@dataclass(frozen=True, slots=True)
class _Call:
    """A call about templates: what it does, and WeChat's own path of it where ours is an alias."""

    does: _Does
    path: str


_TODAY, _LEGACY = "/wxaapi/newtmpl", "/cgi-bin/wxopen/template"
# Where the article that old programs follow says they are: sends lie there, and nothing else.
_MISSPELT = "/cgi-bin/message/wxopen/template"
_LEGACY_CALLS = {
    "library/list": _Does.LOOK,
    "library/get": _Does.LOOK,
    "list": _Does.LOOK,
    "add": _Does.ADD,
    "del": _Does.DELETE,
}
RELAYED: Mapping[str, _Call] = MappingProxyType(
    {
        **{
            f"{_TODAY}/{name}": _Call(_Does.LOOK, f"{_TODAY}/{name}")
            for name in ("gettemplate", "getcategory", "getpubtemplatetitles", "getpubtemplatekeywords")
        },
        f"{_TODAY}/addtemplate": _Call(_Does.ADD, f"{_TODAY}/addtemplate"),
        f"{_TODAY}/deltemplate": _Call(_Does.DELETE, f"{_TODAY}/deltemplate"),
        **{
            f"{root}/{name}": _Call(does, f"{_LEGACY}/{name}")
            for root in (_LEGACY, _MISSPELT)
            for name, does in _LEGACY_CALLS.items()
        },
    }
)
"""What may be called about templates, by the path at our door."""


class Relay:
    """Passes calls on for one app; safe to share between threads, and blocks while WeChat answers.

    `more`: the paths that may be called beside those about templates.
    """

    def __init__(
        self,
        appid: str,
        catalogue: Catalogue,
        loop: LoopThread,
        wechat: AuthorisedClient,
        account: Account,
        *,
        more: Collection[str],
    ) -> None:
        self._appid = appid
        self._catalogue = catalogue
        self._loop = loop
        self._wechat = wechat
        self._account = account
        self._more = frozenset(more)

    def call(
        self, client: Client, method: str, path: str, *, params: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Make a client's call and return WeChat's answer, a refusal as well.

        Raises NotPermitted, Unreachable, and CallRefused where WeChat does not take the app's own token.
        """
        call = RELAYED.get(path)
        if call is None and path not in self._more:
            raise NotPermitted("that call is not passed on: see PUSHJOBS_PASS_THROUGH")
        self._require(client, method, call, body or {})
        theirs = path if call is None else call.path
        answer = self._loop.run(self._wechat.relay(method, theirs, params=params, body=body))
        if call is not None and not answer.get("errcode"):
            self._follow(call, body or {})
        return answer

    def log_in(self, client: Client, code: str) -> dict[str, Any]:
        """Return whom a login code stands for, as WeChat words it; raises NotPermitted, CallRefused, Unreachable."""
        if not client.may(Right.READ, appid=self._appid):
            raise NotPermitted("the client may not read")
        found = self._account.exchange_code(code, with_session_key=True)
        answer = {"openid": found.openid, "session_key": found.session_key, "unionid": found.unionid}
        return {name: value for name, value in answer.items() if value is not None}

    def _require(self, client: Client, method: str, call: _Call | None, body: Mapping[str, Any]) -> None:
        looks = method == "GET" if call is None else call.does is _Does.LOOK
        right = Right.READ if looks else Right.WRITE
        if not client.may(right, appid=self._appid):
            raise NotPermitted(f"the client may not {right}, or not with that app")
        if call is None or looks or client.templates is None:
            return
        # Who may use some templates only may not make others, nor take those away.
        if call.does is _Does.ADD or not client.may(template_id=str(_named(body))):
            raise NotPermitted("the client may use some templates only")

    def _follow(self, call: _Call, body: Mapping[str, Any]) -> None:
        """Bring the catalogue up to date; should that fail, an added template is found at its first use."""
        if not call.path.startswith(_TODAY):
            return
        with suppress(CallRefused, Misconfigured, Unreachable):
            if call.does is _Does.ADD and self._catalogue.app.is_synced:
                self._catalogue.sync()
            if call.does is _Does.DELETE:
                self._catalogue.forget(str(_named(body)))


def _named(body: Mapping[str, Any]) -> object:
    return body.get("priTmplId", body.get("template_id"))
