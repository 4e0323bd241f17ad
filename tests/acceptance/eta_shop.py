"""The application of docs/how-to/migrate-from-celery-eta.md as the page has it: old code, new code, and the move."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from celery import Celery

from pushjobs.sandbox.catalogue import CLASS_REMINDER
from pushjobs.testing import Installation

__all__ = ["Shop", "blocks"]

HOW_TO = Path(__file__).parents[2] / "docs/how-to"


def blocks(page: str, language: str = "python") -> list[str]:
    """Return the code of a page, block by block."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", (HOW_TO / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [code for name, code in found if name == language]


class Shop:
    """The application of the page, whose broker is another database of the same Redis."""

    def __init__(self, installation: Installation, place: Path) -> None:
        settings = installation.runtime.settings
        appid, secret = settings.require_credentials
        self.installation = installation
        self.place = place
        self.environment = os.environ | {
            "SHOP_BROKER": f"{installation.broker_url}?virtual_host=1",
            "SHOP_WECHAT": settings.wechat_base_url,
            "SHOP_APPID": appid,
            "SHOP_SECRET": secret,
        }
        self.app = Celery("shop", broker=self.environment["SHOP_BROKER"], set_as_current=False)
        for block in blocks("migrate-from-celery-eta.md"):
            name, _, code = block.removeprefix("# ").partition("\n")
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_text(code, encoding="utf-8")

    def ask(self, touser: str, eta: datetime) -> None:
        """Ask as the application does: a task with an ETA."""
        data = {"thing1": f"书法 {touser}", "time2": "2040年12月1日 19:00", "enum3": "线上"}
        self.app.send_task("shop.send_push", (touser, CLASS_REMINDER, data), eta=eta)

    @contextmanager
    def worker(self, version: str) -> Iterator[None]:
        """Run a worker with the old code or the new, until it is asked to end and has."""
        command = [
            sys.executable,
            "-m",
            "celery",
            "--quiet",
            "-A",
            "shop_tasks",
            "worker",
            "-c",
            "1",
            "--loglevel=ERROR",
        ]
        with subprocess.Popen(command, cwd=self.place / version, env=self.environment) as running:
            yield
            running.send_signal(signal.SIGTERM)
            assert running.wait(60) == 0

    def held(self) -> int:
        """Return how many tasks the workers hold for their ETA."""
        scheduled = self.app.control.inspect(timeout=1).scheduled() or {}
        return sum(len(tasks) for tasks in scheduled.values())

    def move(self) -> str:
        """Run the page's script."""
        script, there = [sys.executable, "move.py"], self.place / "new"
        done = subprocess.run(script, cwd=there, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def received(self, touser: str) -> int:
        """Return how many messages a user has."""
        return len(self.installation.sandbox.received(touser=touser))
