"""Floor 1: the pace of an app's calls, one for all processes, so that WeChat's limit holds in every sliding second."""

from pushjobs.pace.reserve import Limit, Pace, ping
from pushjobs.pace.slots import Grant, Slot, Wait

__all__ = ["Grant", "Limit", "Pace", "Slot", "Wait", "ping"]
