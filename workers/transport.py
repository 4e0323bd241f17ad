"""kombu's Redis transport, less a fault of 5.7 by which a worker that loses its Redis ends instead of waiting for it.

Celery closes a lost connection twice. The first time fails on the dead socket, and kombu lets go of the connection all
the same; the second time it means to put back what was not acknowledged, asks that connection for the address, and an
AttributeError ends the worker, with status 1 and with its pool in mid-call. It happens to whoever holds messages for
later, so to nearly every worker that delivers. What is not put back then comes back by the visibility time-out.
"""

from kombu.transport import TRANSPORT_ALIASES, redis

__all__ = ["Transport", "install"]


class _Channel(redis.Channel):
    """A channel that puts nothing back over a connection that is gone."""

    def close(self) -> None:
        """Close, for the first or the second time."""
        if self.connection is not None and self.connection.client is None:
            self.do_restore = False
        super().close()  # type: ignore[no-untyped-call]  # kombu says no types


class Transport(redis.Transport):
    """The Redis transport with such channels."""

    Channel = _Channel


def install() -> None:
    """Have `redis://` and `redis+socket://` mean this; before the process opens a connection."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
