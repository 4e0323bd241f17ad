"""What campaigns use of one app, and a stored definition opened again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pushjobs.campaigns.audiences import Audience, read_audience
from pushjobs.campaigns.content import Recipe, read_recipe, rules_of
from pushjobs.campaigns.stored import StoredAudiences
from pushjobs.delivery.admission import Admittance
from pushjobs.pace import Limit
from pushjobs.request import Terms
from pushjobs.store import envelope
from pushjobs.store.sealing import Sealer
from pushjobs.vetting import Vetting

__all__ = ["Opened", "Parts", "opened", "read_parts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """What campaigns use of one app. `limit`: the pace as it stands this moment; `admittance`: what the gates do."""

    app_no: int
    terms: Terms
    vetting: Vetting
    limit: Callable[[], Limit]
    admittance: Admittance
    audiences: StoredAudiences


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Whom a campaign is for, and what it says."""

    audience: Audience
    recipe: Recipe


def read_parts(record: Mapping[str, Any], parts: Parts, *, template_id: str, zone: ZoneInfo) -> Opened:
    """Read a campaign's audience and content; raises InvalidInput."""
    rules = rules_of(template_id, parts.terms.catalogue)
    return Opened(
        audience=read_audience(record.get("audience"), stored=parts.audiences.open),
        recipe=read_recipe(record.get("content"), template_id=template_id, zone=zone, rules=rules),
    )


def opened(sealer: Sealer, sealed: bytes, parts: Parts, *, key: str, template_id: str, zone: str) -> Opened:
    """Open what the row of a campaign or a run holds; raises Undecryptable, InvalidInput where its template changed."""
    record = envelope.open_campaign(sealer, sealed, appid=parts.terms.appid, key=key)
    return read_parts(record, parts, template_id=template_id, zone=ZoneInfo(zone))
