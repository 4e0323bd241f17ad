"""Running commands of the terminal in the test's own process."""

from collections.abc import Callable, Mapping

import pytest

from pushjobs.cli import main

__all__ = ["Run", "runner"]

Run = Callable[..., tuple[int, str, str]]
"""Runs a command; returns status, output, errors."""


def runner(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return what runs commands against the installation that an environment names."""
    for name, value in environment.items():
        if name.startswith("PUSHJOBS_"):
            monkeypatch.setenv(name, value)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["pushjobs", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, shown.out, shown.err

    return call
