"""Charts as data: what `charts.js` draws, as JSON that stands in an attribute."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson

__all__ = ["Series", "chart"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or one row of bars. `tone`: the colour of a state; values are None where there is a gap."""

    label: str
    tone: str
    values: Sequence[float | None]


def chart(  # noqa: PLR0913 - what a chart has
    moments: Sequence[datetime],
    series: Sequence[Series],
    *,
    zone: str,
    when: str,
    unit: str = "",
    limit: float | None = None,
    links: Sequence[str] = (),
) -> str:
    """Return a chart as JSON; `when`: what moments are called, `limit`: a line at that height.

    `links`: where a click on each bar leads.
    """
    return orjson.dumps(
        {
            "moments": [int(each.timestamp()) for each in moments],
            "series": [asdict(each) for each in series],
            "zone": zone,
            "when": when,
            "unit": unit,
            "limit": limit,
            "links": list(links),
        }
    ).decode()
