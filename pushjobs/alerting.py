"""What a process keeps watch with, and whom it tells, over its connections."""

from collections.abc import Callable, Collection

from pushjobs.alerts import Alerts, AlertTelling, Looking, Outage, read_address
from pushjobs.campaigns.fetching import Reach, anywhere
from pushjobs.connections import Connections
from pushjobs.posting import Post
from pushjobs.telemetry import emit

__all__ = ["keep_watch"]

_ANSWER_SECONDS = 5.0


def keep_watch(
    connections: Connections, *, rate: Callable[[int], float | None], unreadable: Callable[[], Collection[str]]
) -> Alerts:
    """Return the alerts of a process; `rate` and `unreadable` as a look asks for them."""
    post: list[Post] = []

    def opened() -> Post:
        # Made on the loop, by the first call that there is. The address is the installation's own word, and whoever is
        # told is often within.
        if not post:
            post.append(Post(Reach(may_connect=anywhere, seconds=_ANSWER_SECONDS)))
            connections.close_with(post[0].aclose)
        return post[0]

    database, settings = connections.database, connections.settings
    addresses = [read_address(each.get_secret_value()) for each in settings.alert_url]
    telling = AlertTelling(database, lambda: connections.loop, opened, addresses, zone=settings.zone, emit=emit)
    looking = Looking(database, rate=rate, unreadable=unreadable, emit=emit)
    return Alerts(database, looking, telling, Outage(lambda: connections.slots, telling.tell_unnoted))
