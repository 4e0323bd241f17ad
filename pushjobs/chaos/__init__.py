"""Floor 4: what survives? Real processes under load, killed at random, and every job counted at the receiver.

A plan is data, fixed by its seed (`plan`); each fault is done to a running installation (`faults`) while jobs come in
at a fixed rate (`traffic`); at the end every job is accounted for (`ledger`). Nothing here knows a terminal.
"""

from pushjobs.chaos.ledger import Result
from pushjobs.chaos.plan import Load, Plan
from pushjobs.chaos.run import Progress, storm

__all__ = ["Load", "Plan", "Progress", "Result", "storm"]
