"""A feed read: RSS and Atom, however carelessly written, or JSON Feed, as its newest entry in plain texts.

Of a feed only that is used, and of it what fits a notice: a few texts, a link, a moment. Parsers that forgive much can
be made to work for hours by a few megabytes, so a feed is read in a process of its own, with a few seconds and a
gibibyte: `python -m pushjobs.campaigns.reading` is that process, `read_apart` starts it.

Refuses to: read a feed that declares entities (they can name files of ours, or grow without bound), let the parser open
anything by itself.
"""

import hashlib
import io
import os
import re
import resource
import subprocess
import sys
from calendar import timegm
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

import feedparser
import orjson

from pushjobs.campaigns.markup import shown
from pushjobs.errors import ContentUnfetched

__all__ = ["Document", "Entry", "read_apart", "read_entry"]

_READING_SECONDS = 10
_READING_BYTES = 1024**3

_JSON_FEED = "https://jsonfeed.org/version/"

_ENTITY = re.compile("<!ENTITY", re.IGNORECASE)
_DECLARED = re.compile(r"""<\?xml[^>]{1,200}encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
# Not the codecs that are no encodings of documents, some of which take quadratic time.
_ENCODING = re.compile("(?i:utf|ucs|gb|big5|hz|iso|windows|cp[0-9]|euc|shift|s?jis|koi8|us-ascii|ascii|latin|mac)")
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# A clock with its distance from Greenwich behind it; AM and PM are no zones.
_HAS_ZONE = re.compile(r":[0-9]{2}(?:[.,][0-9]+)?\s*(?:[+-][0-9]{2}:?[0-9]{2}|(?!AM|PM)[A-Za-z]{1,5})\s*(?:\(.*\))?$")

_Raw = TypeVar("_Raw", bound=Mapping[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A feed as it came: its bytes, where they came from in the end, and the encoding that the server names."""

    body: bytes = field(repr=False)
    url: str = field(repr=False)
    charset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The newest entry of a feed in plain texts of one line, "" for what it lacks; `entry_id` is a digest of its id.

    `author` is the feed's where the entry names none, `link` is absolute; `published` is in UTC.
    """

    entry_id: str
    title: str = field(repr=False)
    summary: str = field(repr=False)
    link: str = field(repr=False)
    author: str = field(repr=False)
    published: datetime | None


def read_apart(document: Document, zone: ZoneInfo, *, seconds: int = _READING_SECONDS) -> Entry:
    """Read the newest entry in a process of its own, for up to so many seconds of work; raises ContentUnfetched."""
    head = orjson.dumps({"url": document.url, "charset": document.charset, "zone": zone.key, "seconds": seconds})
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pushjobs.campaigns.reading"],
            input=head + b"\n" + document.body,
            capture_output=True,
            # Nothing of our settings, which it has no use for; and the modules this process runs on.
            env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            timeout=2 * seconds + 5,
            check=False,
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is not None and done.returncode > 0:
        raise _unread(document, f"was not read: the process for it ended with status {done.returncode}")
    if done is None or done.returncode:
        raise _unread(document, f"takes more than {seconds} seconds or a gibibyte to read: give one with fewer entries")
    match orjson.loads(done.stdout):
        case {"fault": str(fault)}:
            raise ContentUnfetched(fault)
        case answer:
            published = answer["published"]
            return Entry(**answer | {"published": None if published is None else datetime.fromisoformat(published)})


def read_entry(document: Document, zone: ZoneInfo) -> Entry:
    """Read the newest entry of a document, by its date where it has one; raises ContentUnfetched."""
    text = _decoded(document)
    if text.lstrip().startswith("{"):
        return _json_entry(text, document, zone)
    return _xml_entry(text, document, zone)


def _decoded(document: Document) -> str:
    """Decode a document by its byte order mark, as UTF-8, or as it or its server says.

    UTF-8 before what is said: texts of another encoding are hardly ever UTF-8 by chance, and servers say what they
    were set up to say.
    """
    body = document.body
    if mark := next((encoding for bom, encoding in _BOMS if body.startswith(bom)), None):
        candidates = [mark]
    else:
        declared = _DECLARED.match(body[:400].decode("latin-1").lstrip())
        candidates = ["utf-8", *([declared[1]] if declared else []), *([document.charset] if document.charset else [])]
    for encoding in candidates:
        if _ENCODING.match(encoding):
            # gb18030 holds all of its forerunners, and what is sent under their names.
            wider = "gb18030" if encoding.lower() in {"gb2312", "gbk"} else encoding
            try:
                return body.decode(wider)
            except (LookupError, UnicodeError):
                continue
    raise _unread(document, "is written in no encoding that it or its server names")


def _newest(entries: Sequence[_Raw], document: Document, moment: Callable[[_Raw], datetime | None]) -> _Raw:
    if not entries:
        raise _unread(document, "has no entry")
    dated = [(at, each) for each in entries if (at := moment(each)) is not None]
    return max(dated, key=lambda pair: pair[0])[1] if dated else entries[0]


def _xml_entry(text: str, document: Document, zone: ZoneInfo) -> Entry:
    if _ENTITY.search(text):
        raise _unread(document, "declares entities, which are not read: they can name files or grow without bound")
    try:
        # In a stream: bytes by themselves it takes for the name of a file. What is not well-formed it reads as it can.
        read = feedparser.parse(
            io.BytesIO(text.encode()),
            response_headers={"content-type": "application/xml; charset=utf-8", "content-location": document.url},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception:  # noqa: BLE001 - it has raised many kinds on what is no feed
        raise _unread(document, "cannot be read") from None
    if not read.get("version"):
        raise _unread(document, "is no RSS, Atom or JSON Feed")
    newest = _newest(read["entries"], document, lambda each: _parsed_moment(each, zone))
    markup = newest.get("summary") or (newest.get("content") or [{}])[0].get("value", "")
    link = newest.get("link", "")
    return _entry(
        identity=newest.get("id") or link,
        title=shown(newest.get("title", ""), is_markup=_is_markup(newest.get("title_detail"))),
        # Without a detail it is a body, and those are markup.
        summary=shown(markup, is_markup=_is_markup(newest.get("summary_detail"))),
        link=_joined(document.url, link),
        author=_name(newest) or _name(read["feed"]) or shown(read["feed"].get("title", ""), is_markup=True),
        published=_parsed_moment(newest, zone),
    )


def _json_entry(text: str, document: Document, zone: ZoneInfo) -> Entry:
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = {}
    if not isinstance(read, dict) or not str(read.get("version", "")).startswith(_JSON_FEED):
        raise _unread(document, "is no RSS, Atom or JSON Feed")
    items = read.get("items")
    entries = [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    newest = _newest(entries, document, lambda each: _written_moment(each, zone))
    link = _text(newest, "url") or _text(newest, "external_url")
    plain = _text(newest, "summary") or _text(newest, "content_text")
    return _entry(
        identity=_text(newest, "id") or link,
        title=shown(_text(newest, "title"), is_markup=False),
        summary=shown(plain or _text(newest, "content_html"), is_markup=not plain),
        link=_joined(document.url, link),
        author=shown(_json_author(newest) or _json_author(read) or _text(read, "title"), is_markup=False),
        published=_written_moment(newest, zone),
    )


def _entry(*, identity: str, title: str, summary: str, link: str, author: str, published: datetime | None) -> Entry:
    digest = hashlib.sha256((identity or title or summary).encode("utf-8", "replace")).hexdigest()
    return Entry(entry_id=digest, title=title, summary=summary, link=link, author=author, published=published)


def _parsed_moment(entry: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    """Read when an entry was published, else updated; feedparser takes a date without a zone for Greenwich's."""
    plain = dict(entry)  # the entry's own `get` warns where one date stands in for another
    for name in ("published", "updated", "created"):
        parsed, written = plain.get(f"{name}_parsed"), plain.get(name)
        if parsed is not None:
            try:
                moment = datetime.fromtimestamp(timegm(parsed), UTC)
                return moment if _HAS_ZONE.search(written or "") else moment.replace(tzinfo=zone).astimezone(UTC)
            except (OSError, OverflowError, ValueError):  # no year of ours
                continue
    return None


def _written_moment(item: Mapping[str, Any], zone: ZoneInfo) -> datetime | None:
    for name in ("date_published", "date_modified"):
        try:
            moment = datetime.fromisoformat(_text(item, name))
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except (OverflowError, ValueError):
            continue
    return None


def _name(of: Mapping[str, Any]) -> str:
    """Return who wrote it; the name alone, where an address stands beside it."""
    detail = of.get("author_detail") or {}
    return shown(detail.get("name") or of.get("author") or "", is_markup=True)


def _json_author(of: Mapping[str, Any]) -> str:
    """Return the first author's name: a list of them in version 1.1, one of them in version 1."""
    authors = of.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else of.get("author")
    return _text(first, "name") if isinstance(first, dict) else ""


def _text(item: Mapping[str, Any], name: str) -> str:
    """Return a text of a JSON Feed, "" where it is none; a number as an id becomes text, as the format wants."""
    value = item.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _is_markup(detail: Mapping[str, Any] | None) -> bool:
    return detail is None or detail.get("type", "") != "text/plain"


def _joined(base: str, link: str) -> str:
    """Return where a link leads, "" for one that is no address of the web."""
    try:
        joined = urljoin(base, link.strip()) if link else ""
    except ValueError:
        return ""
    return joined if joined.startswith(("http://", "https://")) else ""


def _unread(document: Document, what: str) -> ContentUnfetched:
    return ContentUnfetched(f"the feed at {urlsplit(document.url).hostname} {what}")


def _main() -> None:
    """Read what `read_apart` wrote, and write what it reads."""
    head = orjson.loads(sys.stdin.buffer.readline())
    resource.setrlimit(resource.RLIMIT_CPU, (head["seconds"], head["seconds"]))
    with suppress(ValueError, OSError):  # macOS does not limit it
        resource.setrlimit(resource.RLIMIT_AS, (_READING_BYTES, _READING_BYTES))
    document = Document(body=sys.stdin.buffer.read(), url=head["url"], charset=head["charset"])
    try:
        answer: dict[str, object] = asdict(read_entry(document, ZoneInfo(head["zone"])))
    except ContentUnfetched as fault:
        answer = {"fault": str(fault)}
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    _main()
