"""Floor 2: delivery, straight down the page: reserve slots → admit → call → settle.

Slots come first, then exactly as many jobs are admitted, so that `sending` never waits long. Three threads share the
work: one admits, the event loop's calls, one settles whatever has come back. No transaction is open during a call, for
WeChat may take its whole time-out.

What if the process dies? Before the admitting commit: nothing happened, the lease runs out, the jobs go back. After
it: the jobs are `sending`, nobody knows how far their calls got, and `upkeep` puts them in doubt. After the settling
commit: all is written. A horizon of slots is all that can be in the middle.
"""

from pushjobs.delivery.deliver import Delivery, Waiting

__all__ = ["Delivery", "Waiting"]
