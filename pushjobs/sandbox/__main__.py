"""`python -m pushjobs.sandbox`: the stand-in from a terminal. Its first line of output is its address, as JSON."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pushjobs.sandbox.options import DEFAULT_APPID, DEFAULT_SECRET, SandboxOptions, Settings
from pushjobs.sandbox.server import serve

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Read the arguments and serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m pushjobs.sandbox", description="A stand-in for WeChat's servers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--app", action="append", metavar="APPID:SECRET", help=f"default {DEFAULT_APPID}:{DEFAULT_SECRET}"
    )
    parser.add_argument("--latency-ms", type=float, default=0, help="between reading a request and writing its answer")
    parser.add_argument("--lenient", action="store_true", help="ignore unknown fields, as WeChat does")
    parser.add_argument("--today", action="store_true", help="answer the legacy send call with 45103, as WeChat does")
    parser.add_argument(
        "--settings", type=_read_settings, default={}, metavar="JSON", help="any settings, by their names; or @FILE"
    )
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input closes")
    given = parser.parse_args(argv)
    settings = {"latency_ms": given.latency_ms, "lenient": given.lenient, **given.settings}
    if given.today:
        settings["behave"] = "today"
    apps = dict(app.split(":", 1) for app in given.app or [f"{DEFAULT_APPID}:{DEFAULT_SECRET}"])
    options = SandboxOptions(host=given.host, port=given.port, apps=apps, settings=Settings().changed(settings))
    if given.stop_with_stdin:
        threading.Thread(target=_stop_with_stdin, daemon=True).start()
    serve(options)


def _read_settings(text: str) -> dict[str, Any]:
    # Everybody can read a command line, and a callback's token is a secret.
    try:
        return dict(json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {error.strerror}") from None


def _stop_with_stdin() -> None:
    # os.read and not sys.stdin: a thread inside a buffered reader makes the interpreter's shutdown fail.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
