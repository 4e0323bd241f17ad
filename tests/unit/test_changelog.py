"""CHANGELOG.md keeps to its form: Keep a Changelog, and the rules of CONTRIBUTING."""

import re
import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
RELEASES = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]


def groups(release: str) -> list[tuple[str, str]]:
    """Return the kinds of changes of a release, each with its entries as they stand."""
    found = re.split(r"^### (.+)\n", release, flags=re.MULTILINE)[1:]
    return list(zip(found[::2], found[1::2], strict=True))


def number(heading: str) -> tuple[int, ...]:
    """Return a release's number."""
    return tuple(int(part) for part in heading[1:].partition("]")[0].split("."))


def test_releases_stand_with_their_days_and_the_latest_first() -> None:
    """What is not released yet comes first, then each release with its number and its day."""
    first, *released = [release.splitlines()[0] for release in RELEASES]
    assert first == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading) for heading in released)
    days = [date.fromisoformat(heading[-10:]) for heading in released]
    assert all(later >= earlier for later, earlier in pairwise(days))
    assert all(later > earlier for later, earlier in pairwise(map(number, released)))


def test_the_package_s_number_is_not_behind() -> None:
    """pyproject.toml has the number of the latest release, or of the one that is being made."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    latest = [number(release) for release in RELEASES[1:2]]
    assert tuple(map(int, version.split("."))) >= max(latest, default=(0,))


def test_changes_are_grouped_by_their_kind() -> None:
    """Each release has each kind at most once, in the same order, and none that is empty."""
    for release in RELEASES:
        kinds = [kind for kind, _ in groups(release)]
        assert kinds == [kind for kind in KINDS if kind in kinds]
        assert all(entries.strip() for _, entries in groups(release))


def test_an_entry_is_a_sentence() -> None:
    """Each entry begins with a dash and ends as sentences do; nothing stands between entries."""
    for release in RELEASES:
        for _, entries in groups(release):
            told = re.split(r"^- ", entries, flags=re.MULTILINE)
            assert not told[0].strip()
            assert all(re.search(r"[.!]\s*\Z", entry) for entry in told[1:])
            assert all(line.startswith("  ") for entry in told[1:] for line in entry.strip().splitlines()[1:])
