"""Pages written from templates: escaped by themselves, their words from the tables, their moments in the app's zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pushjobs import clock
from pushjobs.domain.moment import SHANGHAI
from pushjobs.http.console.assets import Assets
from pushjobs.http.console.visit import Notice
from pushjobs.http.console.words import Words

__all__ = ["TEMPLATES", "Rendering", "Surroundings", "address"]

TEMPLATES = Path(__file__).parent / "templates"

_SPANS = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stands around any page: who looks, in which language and light, and what was just done.

    `client` is the name of whoever is signed in, None where nobody is; `proof` goes into every form.
    """

    words: Words
    theme: str
    path: str
    place: str | None = None
    entries: Sequence[tuple[str, str]] = ()
    proof: str = field(repr=False)
    client: str | None = None
    apps: Sequence[str] = ()
    appid: str | None = None
    zone: ZoneInfo = SHANGHAI
    notice: Notice | None = None


class Rendering:
    """Writes pages; safe to share between threads."""

    def __init__(self, assets: Assets) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            # They are files of the package: what does not change need not be looked at.
            auto_reload=False,
        )
        self._templates.globals["asset"] = assets.address
        self._templates.globals["address"] = address

    def page(self, template: str, around: Surroundings, values: Mapping[str, Any]) -> str:
        """Return a page's HTML."""
        moments = _Moments(around)
        return self._templates.get_template(template).render(
            **values,
            around=around,
            t=around.words,
            moment=moments.moment,
            span=moments.span,
            ago=moments.ago,
            now=moments.now,
            local=moments.local,
        )


class _Moments:
    """Moments as one page writes them: in its app's zone, with the date only where it is another day's."""

    def __init__(self, around: Surroundings) -> None:
        self._words = around.words
        self._zone = around.zone
        self.now = clock.now()

    def moment(self, at: datetime | None) -> str:
        """Write a moment, as much of it as is not known anyway; the whole of it stands in its title."""
        if at is None:
            return Markup('<span class="none">–</span>')
        local, today = at.astimezone(self._zone), self.now.astimezone(self._zone)
        if local.date() == today.date():
            written = f"{local:%H:%M:%S}"
        elif abs(local - today) < timedelta(days=300):
            written = f"{local:%m-%d %H:%M:%S}"
        else:
            written = f"{local:%Y-%m-%d %H:%M}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), self.local(at), written)

    def local(self, at: datetime) -> str:
        """Write all of a moment, with its zone."""
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M:%S} {self._zone.key}"

    def span(self, seconds: float) -> str:
        """Write a length of time in its largest unit."""
        for length, name in _SPANS:
            if seconds >= length:
                return self._words(f"span.{name}", count=int(seconds // length))
        return self._words("span.seconds", count=0)

    def ago(self, at: datetime) -> str:
        """Write how long a moment is past, or how long until it comes."""
        away = (at - self.now).total_seconds()
        return self._words("span.ago" if away <= 0 else "span.ahead", span=self.span(abs(away)))


def address(path: str, **given: object) -> str:
    """Return an address with what is given of its query."""
    query = urlencode({name: value for name, value in given.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path
