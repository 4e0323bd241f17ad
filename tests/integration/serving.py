"""The HTTP doors served in a thread of the test's own process, on a free port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from pushjobs.http.application import application
from pushjobs.http.server import server
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings

__all__ = ["doors"]


@contextmanager
def doors(settings: Settings) -> Iterator[httpx.Client]:
    """Serve the doors of these settings in a thread; give a client to call them with."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        serving = server(application(Runtime(settings)))
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, serving, "should_exit", True)  # noqa: FBT003 - an attribute's value
        address = "http://{}:{}".format(*listening.getsockname())
        yield stack.enter_context(httpx.Client(base_url=address, timeout=10, trust_env=False))
