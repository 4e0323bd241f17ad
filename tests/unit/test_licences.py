"""Whose the code is, is told: our licence in every distribution, and that of each file that is not ours beside it."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "pushjobs/http/console/static"
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
FOREIGN = sorted(path.name for path in STATIC.iterdir() if ".min." in path.name)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_has_its_licence_beside_it(name: str) -> None:
    """Each library that the console brings along has its licence in the same directory, and NOTICE names both."""
    licence = STATIC / f"{name.partition('.')[0]}.LICENSE.txt"
    assert licence.is_file()
    assert {name, licence.name} <= set(re.findall(r"[a-z]+\.[\w.]+\w", NOTICE))


def test_the_licences_are_part_of_every_distribution() -> None:
    """What is built carries our licence, the notice and the foreign licences."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license-files"]
    carried = {path for pattern in listed for path in ROOT.glob(pattern)}
    assert carried == {ROOT / "LICENSE", ROOT / "NOTICE", *STATIC.glob("*.LICENSE.txt")}


def test_every_place_names_the_same_licence() -> None:
    """pyproject.toml and the image's label say the same, and LICENSE is the text of ours."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"]
    assert said.partition(" AND ")[0] == "Apache-2.0"
    assert f'org.opencontainers.image.licenses="{said}"' in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
