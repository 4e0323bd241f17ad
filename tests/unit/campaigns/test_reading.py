"""Feeds read: which entry is the newest, and what becomes of its texts. Every feed here was written for these tests."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pushjobs.campaigns.reading import Document, Entry, read_apart, read_entry
from pushjobs.errors import ContentUnfetched

FEEDS = Path(__file__).parents[2] / "feeds"
SHANGHAI = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
"""07:30 on 1 December in Shanghai."""

RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>{}</channel></rss>'


def document(body: bytes | str, *, charset: str | None = None) -> Document:
    raw = body.encode() if isinstance(body, str) else body
    return Document(body=raw, url="https://news.example/feed/all.xml", charset=charset)


def read(body: bytes | str, *, charset: str | None = None) -> Entry:
    return read_entry(document(body, charset=charset), SHANGHAI)


def read_file(name: str) -> Entry:
    return read((FEEDS / name).read_bytes())


def rss(*items: str) -> str:
    return RSS.format("".join(f"<item>{each}</item>" for each in items))


def json_feed(*items: object, **more: object) -> str:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Feed", "items": items, **more})


def refusal(body: bytes | str) -> str:
    with pytest.raises(ContentUnfetched) as caught:
        read(body)
    return str(caught.value)


def test_rss() -> None:
    """Of RSS the entry of the latest date is taken, wherever it stands; its texts are plain, its link whole."""
    entry = read_file("rss.xml")
    assert entry.title == "城市地铁新线开通 & 票价不变"
    assert entry.summary == "首班车 05:30 发出。沿途 十二站，全程四十分钟。"
    assert entry.link == "https://news.example/2026/12/metro?from=feed"
    assert entry.author == "张三"
    assert entry.published == MORNING


def test_atom() -> None:
    """Of Atom a body stands in for a summary, the update for the publication, the feed's author for the entry's."""
    entry = read_file("atom.xml")
    assert (entry.title, entry.summary, entry.author) == ("Version 2", "Faster Smaller", "The team")
    assert entry.link == "https://blog.example/posts/2.html"
    assert entry.published == datetime(2026, 12, 1, 0, 30, tzinfo=UTC)


def test_json_feed() -> None:
    """JSON Feed is read as the format says: numbers as ids, bodies of either kind, titles that are no markup."""
    entry = read_file("feed.json")
    assert (entry.title, entry.summary, entry.author) == ("晨跑 <5 公里> 路线", "沿江 五公里", "李四")
    assert entry.link == "https://news.example/7"
    assert entry.published == MORNING


def test_a_broken_feed_is_read_as_far_as_it_can_be() -> None:
    """Bare ampersands, unknown entities and tags left open are common; the entry is read all the same."""
    entry = read_file("broken.xml")
    assert (entry.title, entry.link) == ("Tom & Jerry today", "https://news.example/tom?a=1&b=2")


def test_a_date_without_a_zone_is_the_campaign_s() -> None:
    """Half past seven without a word about where is half past seven in the campaign's zone."""
    assert read_file("broken.xml").published == MORNING
    item = {"id": "1", "date_published": "2026-12-01T07:30:00"}
    assert read(json_feed(item)).published == MORNING


@pytest.mark.parametrize(
    "written", ["Tue, 01 Dec 2026 07:30:00 +0800", "2026-12-01T07:30:00+08:00", "2026-11-30T23:30:00Z"]
)
def test_a_date_with_a_zone_is_that_moment(written: str) -> None:
    """A distance from Greenwich is kept to, whatever the campaign's zone."""
    assert read(rss(f"<title>x</title><pubDate>{written}</pubDate>")).published == MORNING


def test_without_dates_the_first_entry_is_the_newest() -> None:
    """A feed without dates has its newest entry first; one that cannot be read is none."""
    assert read(rss("<title>first</title>", "<title>second</title>")).title == "first"
    assert read(rss("<title>a</title><pubDate>soon</pubDate>", "<title>b</title>")).title == "a"
    assert read(json_feed({"title": "first"}, {"title": "second"})).title == "first"


def test_chinese_encodings() -> None:
    """What is called GB2312 is read as GB18030, which holds it and what is sent under its name."""
    assert read_file("gb18030.xml").title == "朱镕基与喆：两个不在 GB2312 里的字"


def test_the_server_names_an_encoding_only_where_nothing_else_does() -> None:
    """UTF-8 is seen by its bytes whatever the server says; without a declaration the server is believed."""
    text = rss("<title>晨报</title>").removeprefix('<?xml version="1.0"?>')
    assert read(text, charset="iso-8859-1").title == "晨报"
    assert read(text.encode("gbk"), charset="gbk").title == "晨报"
    assert read(text.encode("utf-16"), charset="gbk").title == "晨报"
    assert "in no encoding" in refusal(text.encode("gbk"))


@pytest.mark.parametrize("charset", ["idna", "unicode_escape", "no-such", "zip"])
def test_what_is_no_encoding_of_texts_is_not_tried(charset: str) -> None:
    """Python knows codecs that are none of documents'; a server cannot have them run."""
    with pytest.raises(ContentUnfetched, match="in no encoding"):
        read(b"<rss>\xff", charset=charset)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("page.html", "is no RSS, Atom or JSON Feed"),
        ("empty.xml", "has no entry"),
        ("laughs.xml", "declares entities"),
        ("external.xml", "declares entities"),
    ],
)
def test_what_is_no_feed_to_read(name: str, words: str) -> None:
    """A page in place of a feed, a feed without entries, entities that grow or name files: one sentence for each."""
    assert words in refusal((FEEDS / name).read_bytes())


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"version": 7}', "nothing", "\x00", '{"version": "1.0"}'])
def test_what_is_no_feed_at_all(body: str) -> None:
    """Anything else is called what it is; the host is named, nothing of the body."""
    assert refusal(body) == "the feed at news.example is no RSS, Atom or JSON Feed"


def test_a_json_feed_of_odd_items() -> None:
    """Items that are no objects are passed over, values of the wrong kind are as if they were not there."""
    assert "has no entry" in refusal(json_feed(1, "x", None))
    assert "has no entry" in refusal(json.dumps({"version": "https://jsonfeed.org/version/1", "items": {}}))
    entry = read(json_feed({"title": ["x"], "summary": 5, "url": "javascript:x", "authors": [3], "date_published": 7}))
    assert (entry.title, entry.summary, entry.link, entry.author, entry.published) == ("", "5", "", "Feed", None)


def test_the_link_is_one_of_the_web() -> None:
    """A link is made whole by the feed's own address; what is none of the web's is left out."""
    assert read(rss("<title>x</title><link>../a?b=1</link>")).link == "https://news.example/a?b=1"
    assert read(rss("<title>x</title><link>javascript:alert(1)</link>")).link == ""


def test_an_entry_is_told_by_its_id_else_its_link_else_its_title() -> None:
    """The digest stays while what tells the entry stays, and is another for another."""
    by_id = read(rss("<guid>1</guid><link>https://a.example/</link><title>x</title>"))
    assert by_id.entry_id == read(rss("<guid>1</guid><link>https://b.example/</link><title>y</title>")).entry_id
    by_link = read(rss("<link>https://a.example/</link><title>x</title>"))
    assert by_link.entry_id == read(rss("<link>https://a.example/</link><title>y</title>")).entry_id
    by_title = read(rss("<title>x</title>"))
    assert len({by_id.entry_id, by_link.entry_id, by_title.entry_id, read(rss("<title>y</title>")).entry_id}) == 4


def test_no_repr_tells_texts() -> None:
    """An entry that ends up in a log says nothing of what it holds."""
    assert "地铁" not in repr(read_file("rss.xml"))
    assert "news.example" not in repr(document("<rss/>"))


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml", "feed.json", "gb18030.xml"])
def test_another_process_reads_the_same(name: str) -> None:
    """Read apart, an entry is what it is when read here."""
    assert read_apart(document((FEEDS / name).read_bytes()), SHANGHAI) == read_file(name)


def test_another_process_refuses_the_same() -> None:
    """What is wrong with a feed is told by the process that read it."""
    with pytest.raises(ContentUnfetched, match=r"^the feed at news\.example has no entry$"):
        read_apart(document((FEEDS / "empty.xml").read_bytes()), SHANGHAI)


def test_a_feed_made_to_take_for_ever_is_given_up() -> None:
    """A megabyte of tags that are never closed takes the parser a minute; its process is ended after its seconds."""
    tags = document(RSS.partition("{")[0] + "<item>" + "<a>" * 500_000)
    with pytest.raises(ContentUnfetched, match="takes more than 1 seconds or a gibibyte to read"):
        read_apart(tags, SHANGHAI, seconds=1)
