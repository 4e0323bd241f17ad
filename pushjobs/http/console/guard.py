"""What a request must show before it is believed: that it comes from a page of ours; and how often one may guess.

A POST names the page that it comes from (`Origin`, `Sec-Fetch-Site`), which another site cannot have a browser forge,
and brings along the proof that follows from its cookie. Either would do; both are asked.
"""

import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request

from pushjobs import clock

__all__ = ["Slowing", "comes_from_here", "is_proven"]

_FREE_TRIES = 5
_FORGOTTEN_SECONDS = 900.0
_LONGEST_WAIT = 300.0
_MOST_ADDRESSES = 10_000
_NETWORK_BITS = 64


def comes_from_here(request: Request) -> bool:
    """Whether a browser says that the request comes from a page of this very host."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = urlsplit(request.headers.get("origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("host")


def is_proven(proof: str, given: str) -> bool:
    """Whether what a form brought along is what it was given."""
    return hmac.compare_digest(proof.encode(), given.encode(errors="replace"))


class Slowing:
    """Lets an address guess less and less often; used from one event loop.

    Five wrong keys are nothing. From then on each is followed by a wait, twice as long as the one before, up to five
    minutes; a quarter of an hour without any is forgiven. An IPv6 address counts as its network.
    """

    def __init__(self, seconds: Callable[[], float] = clock.monotonic) -> None:
        """`seconds`: a clock."""
        self._seconds = seconds
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return for how many seconds the address is not listened to."""
        count, last = self._failed.get(_network(address), (0, 0.0))
        if count <= _FREE_TRIES or self._seconds() - last > _FORGOTTEN_SECONDS:
            return 0.0
        return max(0.0, last + min(_LONGEST_WAIT, 2.0 ** (count - _FREE_TRIES)) - self._seconds())

    def fail(self, address: str) -> None:
        """Note a wrong key."""
        network, now = _network(address), self._seconds()
        count, last = self._failed.pop(network, (0, now))
        self._failed[network] = (1 if now - last > _FORGOTTEN_SECONDS else count + 1, now)
        if len(self._failed) > _MOST_ADDRESSES:
            self._failed.popitem(last=False)

    def succeed(self, address: str) -> None:
        """Forget the address's wrong keys."""
        self._failed.pop(_network(address), None)


def _network(address: str) -> str:
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((int(read), _NETWORK_BITS), strict=False))
