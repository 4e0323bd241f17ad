"""What the verbs of application code use of one app."""

from collections.abc import Callable
from dataclasses import dataclass

from pushjobs.consenting import Ledger
from pushjobs.forgetting import Forgetting
from pushjobs.inspection import Inspection
from pushjobs.mapping import Mappings
from pushjobs.request import Terms
from pushjobs.vetting import Vetting
from pushjobs.wechat.login import Login

__all__ = ["AppParts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AppParts:
    """What the verbs use of one app."""

    terms: Terms
    inspection: Inspection
    vetting: Vetting
    ledger: Ledger
    mappings: Mappings
    forgetting: Forgetting
    exchange_code: Callable[..., Login]

    @property
    def app_no(self) -> int:
        """Our number for the app."""
        return self.terms.catalogue.app.app_no
