"""The console's cookies: who is signed in, from which browser a form is, what was chosen, what was just done.

Each is for `/console` alone. They are `Secure` unless the request came over plain HTTP from this very machine, and then
have another name: what was set where anybody could listen is nothing where nobody can.
"""

import base64
import binascii
import ipaddress

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pushjobs.http.console.visit import Notice
from pushjobs.sessions import SESSION_LIFE

__all__ = ["Cookies", "is_loopback"]

_PATH = "/console"
_YEAR = 365 * 24 * 3600
_NOTICE_SECONDS = 60
_LONGEST_NOTICE = 1000


class Cookies:
    """Those of one request."""

    def __init__(self, request: Request) -> None:
        self.is_open = request.url.scheme == "http"
        """Whether what is sent can be listened to."""
        self.is_local = is_loopback(request)
        self._given = request.cookies
        self._prefix = "pushjobs_" if self.is_open and self.is_local else "__Secure-pushjobs_"

    def read(self, name: str) -> str | None:
        """Return a cookie's value; None where it was not sent."""
        return self._given.get(self._prefix + name)

    def notice(self) -> Notice | None:
        """Return what was just done."""
        try:
            padded = (self.read("notice") or "")[:_LONGEST_NOTICE]
            key, figures = orjson.loads(base64.urlsafe_b64decode(padded))
            given = {str(name): value for name, value in figures.items() if isinstance(value, int | str)}
        except (ValueError, TypeError, AttributeError, binascii.Error):
            return None
        return Notice(key=key, figures=given) if isinstance(key, str) and key.startswith("notice.") else None

    def sign_in(self, response: Response, token: str) -> None:
        """Have the browser keep a session's token."""
        self._set(response, "session", token, seconds=int(SESSION_LIFE.total_seconds()))

    def sign_out(self, response: Response) -> None:
        """Have it forget it."""
        self.drop(response, "session")

    def know(self, response: Response, token: str) -> None:
        """Have a browser in which nobody is signed in keep what its forms are known by."""
        self._set(response, "visitor", token, seconds=None)

    def keep(self, response: Response, name: str, value: str) -> None:
        """Have the browser keep what was chosen."""
        self._set(response, name, value, seconds=_YEAR)

    def tell(self, response: Response, notice: Notice) -> None:
        """Have the next page say what was done."""
        value = base64.urlsafe_b64encode(orjson.dumps([notice.key, dict(notice.figures)])).decode()
        self._set(response, "notice", value, seconds=_NOTICE_SECONDS)

    def drop(self, response: Response, name: str) -> None:
        """Have the browser forget a cookie."""
        self._set(response, name, "", seconds=0)

    def _set(self, response: Response, name: str, value: str, *, seconds: int | None) -> None:
        # Lax and not Strict: whoever follows a link from an alert is signed in there. What changes anything is a POST,
        # which brings its proof along.
        response.set_cookie(
            self._prefix + name,
            value,
            max_age=seconds,
            path=_PATH,
            secure=self._prefix.startswith("__"),
            httponly=True,
            samesite="lax",
        )


def is_loopback(request: Request) -> bool:
    """Whether a request comes from this very machine."""
    if request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
