"""Floor 2: what is wrong is noticed, and somebody is told: once at its beginning, once at its end."""

from pushjobs.alerts.addresses import read_address
from pushjobs.alerts.alerts import Alerts
from pushjobs.alerts.looking import Looking
from pushjobs.alerts.outage import Outage
from pushjobs.alerts.telling import AlertTelling
from pushjobs.alerts.watch import Watch

__all__ = ["AlertTelling", "Alerts", "Looking", "Outage", "Watch", "read_address"]
