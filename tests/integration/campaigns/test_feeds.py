"""The newest entry of a real site's feed: fetched, told from what is known, and made the content of a message."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pushjobs.campaigns.content import Rules, read_recipe, rules_of
from pushjobs.campaigns.feeds import Feed, Fetched, Known, NothingNew, fetch, read_feed
from pushjobs.domain.moment import SHANGHAI
from pushjobs.errors import ContentUnfetched, InvalidInput
from pushjobs.producer import Producer
from pushjobs.runtime import Runtime
from pushjobs.wechat.fields import keyword_fault
from tests.integration.campaigns.site import Asked, Reply, Site

FEEDS = Path(__file__).parents[2] / "feeds"
RSS = (FEEDS / "rss.xml").read_bytes()
MORNING = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)


def news(asked: Asked) -> Reply:
    """Serve each file by its name; the newspaper's with marks, and not again to whoever knows them."""
    if asked.headers.get("if-none-match") == '"1"' and asked.headers.get("if-modified-since") == "Tue":
        return Reply(status=304)
    marks = {"ETag": '"1"', "Last-Modified": "Tue"} if asked.path == "/rss.xml" else {}
    return Reply(body=(FEEDS / asked.path.removeprefix("/")).read_bytes(), headers=marks)


def feed(url: str, *, skips: bool = True) -> Feed:
    return read_feed({"url": url, "skip_if_nothing_new": skips}, SHANGHAI)


def fetched(source: Feed, known: Known | None = None) -> Fetched:
    found = fetch(source, known, allow_private=True)
    assert isinstance(found, Fetched)
    return found


def test_the_first_time_everything_is_new() -> None:
    """The newest entry comes with what is to be known of it the next time."""
    with Site(news) as site:
        found = fetched(feed(site.url + "rss.xml"))
    assert found.entry.published == MORNING
    assert found.known == Known(entry_id=found.entry.entry_id, published=MORNING, etag='"1"', last_modified="Tue")


def test_a_feed_that_did_not_change_is_not_sent() -> None:
    """The next request says what is known, and the site answers that nothing changed."""
    with Site(news) as site:
        source = feed(site.url + "rss.xml")
        known = fetched(source).known
        assert fetch(source, known, allow_private=True) == NothingNew(known=known)
    assert [asked.headers.get("if-none-match") for asked in site.asked] == [None, '"1"']


@pytest.mark.parametrize("name", ["atom.xml", "feed.json"])
def test_a_site_without_marks_sends_it_all_and_the_entry_is_known(name: str) -> None:
    """Where a site cannot say that nothing changed, the entry's id says it."""
    with Site(news) as site:
        source = feed(site.url + name)
        known = fetched(source).known
        assert (known.etag, known.last_modified) == (None, None)
        assert fetch(source, known, allow_private=True) == NothingNew(known=known)


def test_a_new_entry_is_new_and_an_older_one_is_not() -> None:
    """Another id is news, unless it is of before: the newest was withdrawn, and the one before it was sent already."""
    with Site(news) as site:
        source = feed(site.url + "rss.xml")
        entry = fetched(source).entry
        before = Known(entry_id="another", published=MORNING - timedelta(hours=1), etag='"0"')
        assert fetched(source, before).entry == entry
        assert fetched(source, Known(entry_id="another")).entry == entry
        later = Known(entry_id="another", published=MORNING + timedelta(hours=1), etag='"0"')
        found = fetch(source, later, allow_private=True)
    assert found == NothingNew(
        known=Known(entry_id="another", published=later.published, etag='"1"', last_modified="Tue")
    )


def test_without_skipping_the_entry_comes_each_time() -> None:
    """A run that is sent whatever the feed says needs the entry: the request has no condition."""
    with Site(news) as site:
        source = feed(site.url + "rss.xml", skips=False)
        first = fetched(source)
        assert fetched(source, first.known) == first
    assert all("if-none-match" not in asked.headers for asked in site.asked)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("page.html", "is no RSS, Atom or JSON Feed"),
        ("empty.xml", "has no entry"),
        ("laughs.xml", "declares entities"),
        ("external.xml", "declares entities"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, said: str) -> None:
    """The operator reads one sentence, with the host and without what came."""
    with Site(news) as site, pytest.raises(ContentUnfetched, match=rf"^the feed at 127\.0\.0\.1 {said}"):
        fetch(feed(site.url + name), None, allow_private=True)


def test_nothing_is_fetched_from_within_unless_allowed() -> None:
    """The setting's answer is passed on: this machine's feed is refused, and not asked for."""
    with Site(news) as site, pytest.raises(ContentUnfetched, match="PUSHJOBS_PRIVATE_FEEDS"):
        fetch(feed(site.url + "rss.xml"), None, allow_private=False)
    assert not site.asked


def test_a_document_s_declarations_are_never_fetched() -> None:
    """What a feed's DOCTYPE names is asked of nobody."""

    def answer(asked: Asked) -> Reply:
        doctype = f'<!DOCTYPE rss SYSTEM "http://{asked.headers["host"]}/rss.dtd">'.encode()
        return Reply(body=RSS.replace(b"<rss", doctype + b"<rss", 1))

    with Site(answer) as site:
        assert fetched(feed(site.url)).entry.published == MORNING
    assert [asked.path for asked in site.asked] == ["/"]


def test_the_news_becomes_a_message() -> None:
    """From the site to the content: plain, cut at the end of a sense, the moment as the template wants it."""
    with Site(news) as site:
        recipe = read_recipe(
            {
                "data": {"thing1": "{title}", "thing2": "{summary}", "time3": "{published}"},
                "page": "pages/web?url={link}",
                "feed": {"url": site.url + "rss.xml"},
            },
            template_id="NEWS",
            zone=SHANGHAI,
            rules=Rules(template=None, keyword_fault=keyword_fault),
        )
        assert recipe.feed is not None
        content = recipe.from_entry(fetched(recipe.feed).entry)
    assert dict(content.data) == {
        "thing1": "城市地铁新线开通 & 票价不变",
        "thing2": "首班车 05:30 发出…",
        "time3": "2026年12月01日 07:30",
    }
    assert content.page == f"pages/web?url=http%3A%2F%2F127.0.0.1%3A{site.port}%2F2026%2F12%2Fmetro%3Ffrom%3Dfeed"


def test_contents_are_judged_by_the_app_s_rules(runtime: Runtime, producer: Producer) -> None:
    """The catalogue's forbidden words hold for campaigns; a mapped legacy template is refused, with what to do."""
    runtime.wording.forbid(["返现"])
    catalogue = runtime.catalogue
    rules = rules_of("NEWS", catalogue)
    with pytest.raises(InvalidInput, match=r"content\.data\.thing1 holds a forbidden word"):
        read_recipe({"data": {"thing1": "返现"}}, template_id="NEWS", zone=SHANGHAI, rules=rules)
    producer.map_template("OLD", "NEWS", {"keyword1": "thing1"})
    with pytest.raises(InvalidInput, match="is a legacy template's, mapped to another"):
        rules_of("OLD", catalogue)
