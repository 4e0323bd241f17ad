"""The site in a browser, opened as files: it is searched without a server, and asks nobody for anything."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from docs.website import build


def test_the_site_is_searched_as_files(chromium: Browser, tmp_path: Path) -> None:
    """What is typed is found, page and heading, in both languages; nothing is loaded but files."""
    build(tmp_path)
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "docs/how-to/scale.html").as_uri())
    for words, found in (("forfeited", "The fine print"), ("错误码", "真实账号")):
        page.locator(".md-search__button").click()
        box = page.get_by_label("Search", exact=True).and_(page.locator("input[type=text]"))
        box.fill(words)
        expect(page.get_by_role("option").filter(has_text=found).first).to_be_visible()
        page.keyboard.press("Escape")
    page.close()
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob", "about"}
