"""A template of the app's catalogue: the keywords that a message must fill."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Template", "TemplateField", "TemplateKind"]


class TemplateKind(StrEnum):
    """For how many messages one consent to the template is."""

    ONE_TIME = "one_time"
    LONG_TERM = "long_term"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateField:
    """One keyword of a template: its `key`, the `name` that users read beside its text.

    `allowed` are its only values where the template lists them.
    """

    key: str
    name: str = ""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template: the keywords a message must fill, no more and no fewer. `kind` is None for one we do not know."""

    template_id: str
    fields: tuple[TemplateField, ...]
    kind: TemplateKind | None = None
