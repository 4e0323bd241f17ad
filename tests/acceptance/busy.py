"""An hour of work that never was, in the summaries: charts have something to draw."""

from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS, ORDER_SHIPPED
from tests.integration.hands import ask

__all__ = ["was_busy"]

# A busy hour: a wave of news with its refusals, and urgent orders beside it.
_MINUTES = """
INSERT INTO pushjobs.minutes (minute, app_no, lane, transition, reason, errcode, step, template_no, jobs, late)
SELECT date_trunc('minute', now()) - make_interval(mins => m), 1, lane::pushjobs.lane, transition, reason, errcode,
       step, template_no, greatest(1, jobs * (1 + 0.4 * sin(m / 7.0)))::int, 1
  FROM generate_series(1, 600) AS m, pushjobs.templates t,
       (VALUES ('bulk', 'deliver', '', 0, 1, 900, :news), ('bulk', 'deliver', '', 0, 3, 400, :news),
               ('bulk', 'deliver', '', 0, 5, 30, :news), ('urgent', 'deliver', '', 0, 0, 60, :order),
               ('bulk', 'reject', 'no_consent', 43101, 2, 40, :news), ('bulk', 'refuse', 'quota', 0, -1, 15, :news))
       AS v (lane, transition, reason, errcode, step, jobs, template_id)
 WHERE t.template_id = v.template_id"""


def was_busy(runtime: Runtime) -> None:
    """Have ten hours been busy; templates that are not known yet have no part in it."""
    ask(runtime, _MINUTES, news=DAILY_NEWS, order=ORDER_SHIPPED)
