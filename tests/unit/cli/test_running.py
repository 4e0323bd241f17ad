"""What `up` tells of Flower's password."""

from pathlib import Path

from pushjobs.cli import running
from pushjobs.local import applications
from pushjobs.local.up import Up, UpOptions


def told(directory: Path, password: str | None) -> dict[str, str]:
    """Return what `up` shows before it starts anything, and what Flower is given."""
    up = Up(UpOptions(directory=directory, environment={}, flower_password=password), running.report)
    flower = applications.flower(up.installation, {}, port=5555, password=password)
    assert "--address=127.0.0.1" in flower.command
    given = flower.environment["PUSHJOBS_FLOWER_PASSWORD"]
    assert not [word for word in flower.command if given in word]
    return {"shown": running._flower_password(up), "given": given}


def test_a_password_that_was_made_up_is_shown(tmp_path: Path) -> None:
    """Where none is set it is made up once, shown, and kept."""
    first, second = told(tmp_path, None), told(tmp_path, None)
    assert first == second
    assert first["shown"] == f"{first['given']}, kept in {tmp_path / 'flower.json'}"


def test_a_password_that_was_set_is_not(tmp_path: Path) -> None:
    """One that is set is taken, not shown, and not kept."""
    found = told(tmp_path, "a-password-of-our-own")
    assert found == {"shown": "that of PUSHJOBS_FLOWER_PASSWORD", "given": "a-password-of-our-own"}
    assert not (tmp_path / "flower.json").exists()
