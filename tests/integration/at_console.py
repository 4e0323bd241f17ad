"""Somebody at the console: a browser without a script, signed in with a client's id and key."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from tests.integration.serving import doors

__all__ = ["EVERY_RIGHT", "Browser", "console_door", "operator", "visitor"]

EVERY_RIGHT = ("read", "write", "operate", "contents")


class Browser:
    """Follows links and posts forms as browsers do: with its cookies, its origin, and what the page's forms hold."""

    def __init__(self, address: str) -> None:
        self.origin = address.rstrip("/")
        self.http = httpx.Client(base_url=address, timeout=30, trust_env=False, follow_redirects=True)
        self.page = ""

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Open a page."""
        return self._seen(self.http.get(path, headers=headers))

    def post(
        self,
        path: str,
        form: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
        *,
        proof: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Post a form of the page that is open; `proof`: in place of its own."""
        fields = [
            *(form.items() if isinstance(form, Mapping) else form),
            ("proof", self.proof if proof is None else proof),
        ]
        sent = {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded"} | dict(headers or {})
        return self._seen(self.http.post(path, content=urlencode(fields), headers=sent))

    def sign_in(self, key: NewKey) -> httpx.Response:
        """Sign in."""
        self.get("/console/sign-in")
        return self.post("/console/sign-in", {"id": key.client.id, "key": key.key})

    @property
    def proof(self) -> str:
        """What the open page's forms bring along."""
        return self.hidden("proof")

    def hidden(self, name: str) -> str:
        """Return a hidden field's value, of the last form that has it: the frame's come first."""
        found = re.findall(rf'name="{name}" value="([^"]*)"', self.page)
        assert found, f"the page has no field {name}"
        return str(found[-1])

    def _seen(self, response: httpx.Response) -> httpx.Response:
        self.page = response.text
        return response


@pytest.fixture
def console_door(settings: Settings) -> Iterator[str]:
    """The address of the doors."""
    with doors(settings) as made:
        yield str(made.base_url)


@pytest.fixture
def visitor(console_door: str) -> Iterator[Callable[[], Browser]]:
    """Make browsers in which nobody is signed in."""
    made: list[Browser] = []

    def make() -> Browser:
        made.append(Browser(console_door))
        return made[-1]

    yield make
    for each in made:
        each.http.close()


@pytest.fixture
def operator(visitor: Callable[[], Browser], runtime: Runtime) -> Callable[..., Browser]:
    """Make clients and sign them in; without a word about it they have every right."""

    def make(name: str = "ops", **more: Any) -> Browser:  # noqa: ANN401 - arguments of `Clients.add`
        browser = visitor()
        answer = browser.sign_in(runtime.clients.add(name, **{"rights": EVERY_RIGHT, **more}))
        assert answer.status_code == 200, answer.text
        assert "/console/now" in str(answer.url)
        return browser

    return make
