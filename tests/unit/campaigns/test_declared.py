"""The module that declares campaigns in code: found in the current directory, and said to be broken where it is."""

from pathlib import Path

import pytest

from pushjobs.campaigns.declared import campaigns_in
from pushjobs.errors import Misconfigured


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An application's own directory, with a module beside its timetable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])
    (tmp_path / "people_of_ours.py").write_text("CRON = '0 8 * * *'\n", encoding="utf-8")
    return tmp_path


def test_the_current_directory_goes_first(here: Path) -> None:
    """An application's `beat_schedule.py` is taken before ours of the same name, and may import what is beside it."""
    code = "import people_of_ours\nCAMPAIGNS = {'news': {'cron': people_of_ours.CRON}}\n"
    (here / "beat_schedule.py").write_text(code, encoding="utf-8")
    assert campaigns_in("beat_schedule") == {"news": {"cron": "0 8 * * *"}}


def test_a_timetable_without_campaigns_declares_none(here: Path) -> None:
    """A module may declare none."""
    (here / "beat_schedule.py").write_text("TICKS = {}\n", encoding="utf-8")
    assert campaigns_in("beat_schedule") == {}


@pytest.mark.parametrize(
    "code", ["CAMPAIGNS = ['news']", "raise RuntimeError", "CAMPAIGNS = {", "import no_such_module"]
)
def test_a_broken_module_is_said_to_be(here: Path, code: str) -> None:
    """What cannot be imported, or declares what is no mapping, is named, whatever it raises."""
    (here / "beat_schedule.py").write_text(code, encoding="utf-8")
    with pytest.raises(Misconfigured, match="beat_schedule"):
        campaigns_in("beat_schedule")


def test_a_module_that_is_not_there_is_said_to_be_missing(here: Path) -> None:
    """The setting may name what does not exist."""
    assert here.is_dir()
    with pytest.raises(Misconfigured, match="no_such_timetable"):
        campaigns_in("no_such_timetable")
