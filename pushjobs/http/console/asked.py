"""One request of a browser, as far as it is read before anybody knows who makes it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pushjobs.http.console.cookies import Cookies
from pushjobs.http.console.words import Words, choose
from pushjobs.http.v1.asked import CLOSE, read_body
from pushjobs.http.v1.problems import UNREADABLE, Refused
from pushjobs.sessions import new_token, proof_of

__all__ = ["Asked", "moved", "ours"]

_LARGEST_FORM = 512 * 1024
"""Ten thousand numbers of jobs, and some."""
_MOST_FIELDS = 2000
_THEMES = ("auto", "light", "dark")


class Asked:
    """A request: its cookies, its language, what its form says."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.cookies = Cookies(request)
        self.words: Words = choose(self.cookies.read("language"), request.headers.get("accept-language", ""))
        self.is_part = "hx-request" in request.headers
        self.form: Mapping[str, Sequence[str]] = {}
        self.visitor = self.cookies.read("visitor") or new_token()
        """What a browser is known by in which nobody is signed in."""

    async def read_form(self) -> None:
        """Read what a POST says; raises Refused where it is too long, too slow or no form."""
        body = await read_body(self.request, _LARGEST_FORM)
        try:
            self.form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:  # UnicodeDecodeError is one
            raise Refused(UNREADABLE, "the form cannot be read", headers=CLOSE) from None

    def field(self, name: str) -> str:
        """Return what the form says under a name; empty where it says nothing."""
        values = self.form.get(name, ())
        return values[0].strip() if values else ""

    @property
    def theme(self) -> str:
        """Light or dark as it was chosen, or as the browser has it."""
        chosen = self.cookies.read("theme")
        return chosen if chosen in _THEMES else "auto"

    @property
    def here(self) -> str:
        """The address that was asked for, to come back to; a form's own address is none."""
        if self.request.method != "GET":
            return ours(urlsplit(self.request.headers.get("referer", "")).path)
        query = self.request.url.query
        return f"{self.request.url.path}?{query}" if query else self.request.url.path

    @property
    def proof(self) -> str:
        """What the form, or htmx in its place, brought along to be believed."""
        return self.field("proof") or self.request.headers.get("x-proof", "")

    @property
    def session_proof(self) -> str:
        """What it should be, where somebody may be signed in."""
        return proof_of(self.cookies.read("session") or new_token())

    @property
    def visitor_proof(self) -> str:
        """What it should be, where nobody is."""
        return proof_of(self.visitor)


def moved(asked: Asked, to: str) -> Response:
    """Send a browser elsewhere; htmx would follow by itself, and show a whole page in place of a part."""
    if asked.is_part:
        return Response(None, HTTPStatus.NO_CONTENT, {"HX-Redirect": to})
    return RedirectResponse(to, HTTPStatus.SEE_OTHER)


def ours(address: str) -> str:
    """Return an address if it is one of the console, else the console's first page: nobody is led elsewhere."""
    split = urlsplit(address)
    is_ours = not split.scheme and not split.netloc and split.path.startswith("/console/") and "\\" not in address
    return address if is_ours and address.isprintable() else "/console/"
