"""The site holds every page, finds its way within itself, and loads nothing from elsewhere."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from docs.website import ROOT, Entry, build, navigation, reached

PAGES = sorted(path for path in reached() if path.suffix == ".md")
LOADING = {"audio", "embed", "iframe", "img", "input", "link", "script", "source", "track", "video"}
SHAPES = {"h1", "h2", "h3", "h4", "li", "table", "tr", "pre", "img"}


class Built(HTMLParser):
    """A page of the site: where it leads, what it loads, what can be led to, and what its text consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads: set[str] = set()
        self.loads: set[str] = set()
        self.ids: set[str] = set()
        self.listed: set[str] = set()
        self.policy = ""
        self.shapes: Counter[str] = Counter()
        self._is_text = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element says."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        if tag == "article":
            self._is_text = True
        if self._is_text and tag in SHAPES:
            self.shapes[tag] += 1
        addresses = {given[name] for name in ("href", "src", "data") if name in given}
        self.leads |= addresses
        if tag in LOADING:
            self.loads |= addresses
        if tag == "a" and "md-nav__link" in given.get("class", ""):
            self.listed.add(given["href"])
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_endtag(self, tag: str) -> None:
        """Note where the text ends."""
        if tag == "article":
            self._is_text = False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a warning raises."""
    made = tmp_path_factory.mktemp("site")
    build(made)
    return made


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Built]:
    """Each of its pages, read. The page for what is not found names all from the root, wherever that will be."""
    return {page: Built(page.read_text(encoding="utf-8")) for page in site.rglob("*.html") if page.name != "404.html"}


def address(path: Path) -> str:
    """Return the page of the site that a page of the repository becomes."""
    return str(path.relative_to(ROOT).with_suffix(".html")).replace("README.html", "index.html")


def titles(entries: list[Entry]) -> Iterator[tuple[str, str]]:
    """Yield every line of the navigation that is a page: its title and the page's path."""
    for entry in entries:
        for title, below in entry.items():
            if isinstance(below, list):
                yield from titles(below)
            else:
                yield title, below


def test_every_page_of_docs_is_in_the_navigation() -> None:
    """index.md, or a list that it names, has each page; and none twice."""
    listed = [path for _, path in titles(navigation())]
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")} <= set(listed)
    assert len(listed) == len(set(listed))


def test_every_page_is_in_the_site_and_listed_there(site: Path, built: dict[Path, Built]) -> None:
    """What the map names can be chosen on every page."""
    listed = {str(Path(link)) for link in built[site / "index.html"].listed}
    for page in PAGES:
        assert (site / address(page)).is_file(), page
        assert address(page) in listed, page


def test_nothing_is_loaded_from_other_hosts(site: Path, built: dict[Path, Built]) -> None:
    """No page, style or search asks anybody else for anything, and the browser is told to refuse it."""
    for path, page in built.items():
        assert not [each for each in page.loads if re.match(r"(?!data:)[a-z]+:|//", each)], path
        assert page.policy == "default-src 'self' file: data: blob: 'unsafe-inline'", path
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*[\"']?(?!data:)([a-z]+:|//)", style.read_text(encoding="utf-8")), style


def test_every_link_leads_somewhere(built: dict[Path, Built]) -> None:
    """A link within the site finds its page, and the heading on it."""
    for path, page in built.items():
        for link in page.leads:
            if not re.match(r"[a-z]+:", link):
                target, _, heading = unquote(link).partition("#")
                found = (path.parent / target).resolve() if target else path
                assert found.is_file(), (path, link)
                assert not heading or heading in built[found].ids, (path, link)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_reads_as_it_does_in_the_repository(page: Path, site: Path, built: dict[Path, Built]) -> None:
    """Headings, lists, tables and blocks are those that GitHub's Markdown has: the builder's is another dialect."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    kinds = [each for token in tokens for each in (token, *(token.children or []))]
    expected = Counter("pre" if each.type == "fence" else each.tag for each in kinds if each.nesting >= 0)
    found = built[site / address(page)].shapes
    assert {shape: found[shape] for shape in SHAPES} == {shape: expected[shape] for shape in SHAPES}
