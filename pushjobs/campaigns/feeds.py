"""The feed that a campaign's content comes from: which it is, and whether it says anything new.

Whether an entry is new is told by a digest of its id, and by its date: where the newest was withdrawn, the one before
it has been sent already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pushjobs.campaigns.fetching import Reach, address_fault, anywhere, get, is_public
from pushjobs.campaigns.reading import Document, Entry, read_apart
from pushjobs.errors import ContentUnfetched, InvalidInput

__all__ = ["Entry", "Feed", "Fetched", "Known", "NothingNew", "fetch", "read_feed"]

_ACCEPTED = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, application/json;q=0.8, "
    "text/xml;q=0.8, */*;q=0.1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Where a campaign's content comes from. Its dates without a zone are read in `zone`.

    `skip_if_nothing_new`: a run sends nothing where the newest entry is the one of the run before it.
    """

    url: str = field(repr=False)
    zone: ZoneInfo
    skip_if_nothing_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is kept of a fetch for the next one: the server's marks of the feed, the entry's digest and its moment."""

    entry_id: str
    published: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None

    def as_record(self) -> dict[str, str | None]:
        """Return it as plain values that JSON can carry."""
        return {
            "entry_id": self.entry_id,
            "published": None if self.published is None else self.published.isoformat(),
            "etag": self.etag,
            "last_modified": self.last_modified,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Known":
        """Build it again from what `as_record` returned."""
        published = record["published"]
        return cls(
            entry_id=record["entry_id"],
            published=None if published is None else datetime.fromisoformat(published),
            etag=record["etag"],
            last_modified=record["last_modified"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The newest entry, and what to keep for the next fetch."""

    entry: Entry
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingNew:
    """The newest entry is the known one, or one before it; `known` is what to keep for the next fetch."""

    known: Known


def read_feed(value: object, zone: ZoneInfo, *, field: str = "feed") -> Feed:
    """Read which feed is meant: {"url": …, "skip_if_nothing_new": …}; raises InvalidInput."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, f"is no object ({type(value).__name__})", 'give {"url": "https://…"}')
    for name in value:
        if name not in {"url", "skip_if_nothing_new"}:
            raise InvalidInput(field, "has a name it does not know", "it has url and skip_if_nothing_new")
    url, skips = value.get("url"), value.get("skip_if_nothing_new")
    if not isinstance(url, str) or not url:
        raise InvalidInput(f"{field}.url", "is missing or no text", "give the feed's address")
    if fault := address_fault(url):
        raise InvalidInput(f"{field}.url", *fault)
    if not isinstance(skips, bool | None):
        raise InvalidInput(f"{field}.skip_if_nothing_new", "is neither true nor false", "leave it out for false")
    return Feed(url=url, zone=zone, skip_if_nothing_new=bool(skips))


def fetch(source: Feed, known: Known | None, *, allow_private: bool) -> Fetched | NothingNew:
    """Fetch a feed's newest entry; raises ContentUnfetched, with a sentence for the operator.

    Where the feed skips and something is known, the request is conditional, and the known entry is nothing new.
    Otherwise the entry is returned whether it is new or not.
    """
    return _fetch(source, known, Reach(may_connect=anywhere if allow_private else is_public))


def _fetch(source: Feed, known: Known | None, reach: Reach) -> Fetched | NothingNew:
    if not source.skip_if_nothing_new:
        known = None
    headers = {"Accept": _ACCEPTED}
    if known and known.etag:
        headers["If-None-Match"] = known.etag
    if known and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    answer = get(source.url, headers, reach)
    if answer is None:
        if known is None:  # only a conditional request is answered so
            raise ContentUnfetched(f"the feed at {urlsplit(source.url).hostname} says only that it did not change")
        return NothingNew(known=known)
    document = Document(body=answer.body, url=answer.url, charset=answer.charset)
    entry = read_apart(document, source.zone)
    marks = {"etag": answer.etag, "last_modified": answer.last_modified}
    if known and _is_old(entry, known):
        return NothingNew(known=Known(entry_id=known.entry_id, published=known.published, **marks))
    return Fetched(entry=entry, known=Known(entry_id=entry.entry_id, published=entry.published, **marks))


def _is_old(entry: Entry, known: Known) -> bool:
    if entry.entry_id == known.entry_id:
        return True
    return bool(entry.published and known.published and entry.published < known.published)
