"""Windows of a real browser at the console, and what is looked for in them.

Nothing may be said on the browser's own console: a script or a style that the policy forbids is told there, and so is a
fault in ours. With PUSHJOBS_SCREENSHOTS=DIRECTORY pages are kept as pictures.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal, Protocol

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from tests.integration.serving import doors

__all__ = ["PHONE", "WIDE", "Open", "door", "faint", "keep", "key", "nameless", "opened", "paper", "sign_in", "width"]

WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 740}
_PICTURES = os.environ.get("PUSHJOBS_SCREENSHOTS")


class Open(Protocol):
    """Opens a window at the console; `told`: words of what may be said on the browser's own console."""

    def __call__(
        self,
        language: str = "en-GB",
        *,
        size: ViewportSize = WIDE,
        scheme: Literal["light", "dark"] = "light",
        told: Sequence[str] = (),
    ) -> AbstractContextManager[Page]:
        """Open it, until the context ends."""


@pytest.fixture
def key(runtime: Runtime) -> NewKey:
    """A client that may do everything."""
    return runtime.clients.add("night-watch", rights=("read", "write", "operate", "contents"))


@pytest.fixture
def door(settings: Settings) -> Iterator[str]:
    """The address of the doors."""
    with doors(settings) as made:
        yield str(made.base_url)


@pytest.fixture
def opened(chromium: Browser, door: str) -> Open:
    """Open windows; when one is closed, nothing but what was expected must have been said on its console."""

    @contextmanager
    def window(
        language: str = "en-GB",
        *,
        size: ViewportSize = WIDE,
        scheme: Literal["light", "dark"] = "light",
        told: Sequence[str] = (),
    ) -> Iterator[Page]:
        is_phone = size is PHONE
        context = chromium.new_context(
            base_url=door,
            locale=language,
            viewport=size,
            color_scheme=scheme,
            is_mobile=is_phone,
            has_touch=is_phone,
            device_scale_factor=2 if is_phone else 1,
        )
        context.set_default_timeout(10_000)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        context.close()
        assert [words for words in said if not any(each in words for each in told)] == []

    return window


def sign_in(page: Page, key: NewKey) -> None:
    """Sign in, as a person does."""
    page.goto("/console/")
    page.locator("#id").fill(key.client.id)
    page.locator("#key").fill(key.key)
    page.locator("main button").click()
    page.wait_for_url(re.compile(r"/console/(?!sign-in)"))


def keep(page: Page, name: str) -> None:
    """Keep the page as a picture, where pictures are wanted."""
    if _PICTURES is not None:
        page.screenshot(path=Path(_PICTURES) / f"{name}.png")


def width(page: Page) -> int:
    """Return how wide the page is."""
    return int(page.evaluate("document.documentElement.scrollWidth"))


def paper(page: Page) -> str:
    """Return the colour that everything is written on."""
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def faint(page: Page) -> list[str]:
    """Return the texts that are hard to read: whose contrast with what is behind them is less than 4.5."""
    return list(page.evaluate(_FAINT))


def nameless(page: Page) -> int:
    """Return how many fields and buttons a screen reader has no name for."""
    return int(page.evaluate(_NAMELESS))


# The contrast of two colours as WCAG 2.2 reckons it, of every text of a page against what is behind it.
_FAINT = """() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (text) => {
    const [r, g, b] = channels(text).map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [one, two] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    if (contrast < 4.5) faint.push(`${element.className} ${element.textContent.trim()}: ${contrast}`);
  }
  return faint;
}"""

_NAMELESS = """[...document.querySelectorAll('main input:not([type=hidden]), main select, main button')]
  .filter((each) => !each.labels?.length && !each.ariaLabel && !each.textContent.trim()).length"""
