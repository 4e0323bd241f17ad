"""The README's example runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_example_of_the_readme_runs(directory: Path) -> None:
    """In the directory of an installation it ends well, finds its job, and is told of the bad row."""
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-c", example],
        env={**os.environ, "PUSHJOBS_DIRECTORY": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found, rejected = done.stdout.splitlines()
    assert "scheduled" in found
    assert rejected.startswith("0 [Rejection(row=1, field='")
