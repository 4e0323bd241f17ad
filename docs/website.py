"""The pages as a site in `site/`: `make site`. Strict: a warning of the builder ends it, and nothing is written.

Refuses to keep a list of pages. The site is what can be reached from README.md by links, laid out as in the repository,
so that links mean the same; its navigation is docs/index.md. A link to what is no page, code mostly, leads to a page
that shows the file.
"""  # noqa: INP001 - a script

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["ROOT", "Entry", "build", "navigation", "reached"]

ROOT = Path(__file__).resolve().parents[1]
_SITE = ROOT / "site"
_MAP = ROOT / "docs/index.md"
_SETTINGS = ROOT / "docs/zensical.toml"
_THEME = ROOT / "docs/theme"
_IMAGES = {".png", ".svg"}
_LANGUAGES = {".json": "json", ".py": "python", ".xml": "xml", ".yml": "yaml"}

_LINK = re.compile(r"\]\(([^)\s:#]+)\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LISTED = re.compile(r"^(?:## (?P<section>.+)|### (?P<group>.+)|(?:-|\d+\.) \[(?P<title>.+?)\]\((?P<link>[^)]+)\).*)$")

Entry = dict[str, "str | list[Entry]"]
"""A line of the navigation: its title, and the page's path or the lines below it."""


def build(site: Path) -> None:
    """Build the site anew in this directory; raises CalledProcessError when the builder warns of anything."""
    with TemporaryDirectory(prefix="pushjobs-site-") as directory:
        laid = Path(directory)
        shutil.copytree(_THEME, laid / "theme")
        for path in reached():
            _lay(path, laid / "pages")
        written = "".join(f"\n[[project.nav]]\n{_toml(entry)[1:-1]}\n" for entry in navigation())
        settings = laid / "zensical.toml"
        settings.write_text(_SETTINGS.read_text(encoding="utf-8") + written, encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(settings)]
        subprocess.run(command, check=True, cwd=laid)  # noqa: S603 - a command of ours
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(laid / "site", site)


def reached() -> set[Path]:
    """Return every file that links lead to, from README.md on, page by page; raises ValueError where there is none."""
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += _links(path) if path.suffix == ".md" else []
    return seen


def navigation() -> list[Entry]:
    """Return the lines of the navigation: README.md, then the sections of index.md; a list of its own is a section."""
    top: list[Entry] = [{"pushjobs": "README.md"}, {"All pages": _page(_MAP)}]
    here = top
    for line in _MAP.read_text(encoding="utf-8").splitlines():
        match _LISTED.match(line):
            case None:
                pass
            case found if found["section"]:
                section: list[Entry] = []
                top.append({found["section"]: section})
                here = section
            case found if found["group"]:
                group: list[Entry] = []
                section.append({found["group"]: group})
                here = group
            case found:
                here += _listed(found["title"], (_MAP.parent / found["link"]).resolve())
    return top


def _listed(title: str, path: Path) -> Iterator[Entry]:
    """Yield the line of a page, and after a README's those of what it lists."""
    yield {title: _page(path)}
    if path.is_relative_to(ROOT / "docs") and path.name == "README.md":
        for line in path.read_text(encoding="utf-8").splitlines():
            if (found := _LISTED.match(line)) and found["link"]:
                yield {found["title"]: _page((path.parent / found["link"]).resolve())}


def _lay(path: Path, pages: Path) -> None:
    """Put a file where the builder looks for it: a page with its links, an image as it is, any other as a page."""
    target = pages / _page(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".md":
        parts = _FENCED.split(path.read_text(encoding="utf-8"))
        # What loads a program from another host to be drawn is shown as it is written.
        parts[1::2] = [part.replace("```mermaid", "```text", 1) for part in parts[1::2]]
        parts[::2] = [_LINK.sub(lambda link: f"]({_led(path, link[1])})", part) for part in parts[::2]]
        target.write_text("".join(parts), encoding="utf-8")
    elif path.suffix in _IMAGES:
        shutil.copyfile(path, target)
    else:
        target.write_text(_shown(path), encoding="utf-8")


def _shown(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    fence = max(re.findall(r"`{3,}", text), key=len, default="``") + "`"
    language = _LANGUAGES.get(path.suffix, "text")
    title = path.relative_to(ROOT)
    return f"---\nsearch:\n  exclude: true\n---\n\n# {title}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _links(page: Path) -> Iterator[Path]:
    """Yield where each link of a page to a file of ours leads."""
    for part in _FENCED.split(page.read_text(encoding="utf-8"))[::2]:
        for link in _LINK.findall(part):
            path = (page.parent / link).resolve()
            if not path.is_file():
                raise ValueError(f"{page.relative_to(ROOT)} links to {link}, which is no file")
            yield path


def _led(page: Path, link: str) -> str:
    """Return a link as it is written in the site."""
    path = (page.parent / link).resolve()
    return link if path.suffix == ".md" or path.suffix in _IMAGES else f"{link}.md"


def _page(path: Path) -> str:
    """Name the file from which the builder makes a page, or which it copies."""
    name = str(path.relative_to(ROOT))
    return name if path.suffix == ".md" or path.suffix in _IMAGES else f"{name}.md"


def _toml(value: "str | list[Entry] | Entry") -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{" + ", ".join(f"{_toml(key)} = {_toml(below)}" for key, below in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"


if __name__ == "__main__":
    try:
        build(_SITE)
    except (ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"no site was built: {error}")
