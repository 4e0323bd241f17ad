"""What the app's account at WeChat can be asked: a call's allowance, a past request, whom a login code stands for.

And the one thing it can be told: to begin its daily counters anew, ten times a month for the whole account. We count
those we made, before the call, so that a script in a loop stops here and not at WeChat.

Every method raises CallRefused where WeChat refuses, Unreachable where it does not answer.
"""

import re
from dataclasses import replace

from pushjobs import clock
from pushjobs.catalogue import Catalogue
from pushjobs.domain.moment import month_in_shanghai
from pushjobs.domain.outcome import DayOver
from pushjobs.errors import CallRefused, InvalidInput, NotPossible
from pushjobs.store import clearances
from pushjobs.store.database import Database
from pushjobs.wechat import errcodes, login, past_requests, quota
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.client import SUBSCRIBE_PATH, Client
from pushjobs.wechat.login import Login
from pushjobs.wechat.loop import LoopThread
from pushjobs.wechat.past_requests import PastRequest
from pushjobs.wechat.quota import CLEARANCES_A_MONTH, CallQuota

__all__ = ["Account"]

_CALL_PATH = re.compile(r"/[\w./-]{1,200}", re.ASCII)
_RID = re.compile("[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}")
_CODE = re.compile("[!-~]{1,128}")  # no page says how long a code is; 32 characters are seen


class Account:
    """The account of one app; safe to share between threads. `credentials` are its appid and secret."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        loop: LoopThread,
        client: Client,
        wechat: AuthorisedClient,
        *,
        credentials: tuple[str, str],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._loop = loop
        self._client = client
        self._wechat = wechat
        self._appid, self._secret = credentials

    def quota(self, path: str = SUBSCRIBE_PATH) -> CallQuota:
        """Return what is left of a call's day: `path` as in its address, without host and query."""
        _refuse_unlike(_CALL_PATH, path, "path", "is no path of a call", f"write it as {SUBSCRIBE_PATH}")
        return self._loop.run(quota.read(self._wechat, path))

    def past_request(self, rid: str) -> PastRequest:
        """Return what WeChat remembers of a request, by the `rid` of its error text; for seven days."""
        _refuse_unlike(_RID, rid, "rid", "has not its form", "three groups of eight: 61725984-6126f6f9-040f19c4")
        return self._loop.run(past_requests.look_up(self._wechat, rid))

    def clear_quota(self) -> int:
        """Begin all daily counters of the app anew; return how many of the month's ten are used, as far as we know.

        Raises NotPossible when they are used up. A call without an answer counts as used.
        """
        app_no, month = self._catalogue.app.app_no, month_in_shanghai(clock.now())
        with self._database.transaction() as connection:
            used = clearances.take(connection, app_no, month, most=CLEARANCES_A_MONTH)
        if used is None:
            raise NotPossible(f"the {CLEARANCES_A_MONTH} clearances of this month are used up: wait for the next")
        try:
            self._clear()
        except CallRefused as refused:
            with self._database.transaction() as connection:
                if refused.errcode == errcodes.CLEARANCES_USED_UP:
                    clearances.use_up(connection, app_no, month, most=CLEARANCES_A_MONTH)
                else:
                    clearances.give_back(connection, app_no, month)
            raise
        return used

    def exchange_code(self, code: str, *, with_session_key: bool = False) -> Login:
        """Return the user whom a code of `wx.login` stands for; its session key only where it is asked for."""
        _refuse_unlike(_CODE, code, "code", "is no code of wx.login", "give the text that the Mini Program got")
        call = login.exchange_code(self._client, appid=self._appid, secret=self._secret, code=code)
        found = self._loop.run(call)
        return found if with_session_key else replace(found, session_key=None)

    def _clear(self) -> None:
        try:
            self._loop.run(quota.clear(self._wechat, self._appid))
        except CallRefused as refused:
            # The calls for tokens have a day too, and it is over: the call with the secret is for that.
            if not isinstance(errcodes.read(refused.errcode), DayOver):
                raise
            self._loop.run(quota.clear_by_secret(self._client, self._appid, self._secret))


def _refuse_unlike(form: re.Pattern[str], value: object, field: str, fault: str, rule: str) -> None:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise InvalidInput(field, fault, rule)
