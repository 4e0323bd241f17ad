"""`python -m pushjobs.http`: the HTTP doors in a process of their own, over one Runtime, until SIGTERM.

Under `pushjobs up` the socket is `up`'s, so that what comes while this process is started again waits for it.
"""

import argparse
import gc
import socket
import sys
from collections.abc import Sequence

from pushjobs import settings
from pushjobs.errors import PushJobsError
from pushjobs.http.application import application
from pushjobs.http.server import server
from pushjobs.runtime import Runtime
from pushjobs.telemetry import logs

__all__ = ["main"]


def main(argv: Sequence[str]) -> None:
    """Read the arguments and serve until told to stop; the settings come from the environment."""
    parser = argparse.ArgumentParser(prog="python -m pushjobs.http", description="The HTTP doors of pushjobs.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="the port (default: %(default)s)")
    parser.add_argument("--socket", type=int, metavar="FD", help="an inherited socket that listens already")
    given = parser.parse_args(argv)
    try:
        found = settings.load()
        logs.configure(found.log_format, found.log_level)
        found.require_database_url  # noqa: B018 - for its complaint, before anything is opened
        app = application(Runtime(found))
        serving = server(app, certificate=found.http_certificate, key=found.http_key, proxies=found.trusted_proxies)
        listening = _listen(given.host, given.port) if given.socket is None else socket.socket(fileno=given.socket)
    except PushJobsError as error:
        parser.exit(2, f"pushjobs.http: {error}\n")
    except (OSError, OverflowError) as error:
        parser.exit(1, f"pushjobs.http: cannot listen at {given.host}, port {given.port}: {error}\n")
    _spare_the_collector()
    # While a batch is read, others wait for their turns. Beside batches without a pause single sends took 170 ms at
    # p99 with Python's 5 ms, and take 56 ms with this; batches take no longer.
    sys.setswitchinterval(0.001)
    serving.run(sockets=[listening])


def _spare_the_collector() -> None:
    """Have the garbage collector look through requests alone, and not after every few hundred objects of a batch.

    What is here by now stays as long as the process: looked through each time, it holds every answer up for 0.1 s. A
    batch makes 300,000 objects that all go at once. Measured together: a seventh of the processor's time for a batch.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=socket.SOMAXCONN)


if __name__ == "__main__":
    main(sys.argv[1:])
