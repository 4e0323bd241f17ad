"""Legacy templates mapped to subscribe templates: set, listed and taken away; `request` obeys them.

A mapping names only templates and keywords, and is checked against the catalogue when it is made. Changing one touches
no job: what was accepted is a message of the subscribe template already.
"""

from collections.abc import Mapping

from pushjobs.catalogue import Catalogue
from pushjobs.domain.message import read_template_id
from pushjobs.domain.translation import Translation, read_translation
from pushjobs.errors import InvalidInput, NotFound
from pushjobs.store import translations
from pushjobs.store.database import Database

__all__ = ["Mappings"]


class Mappings:
    """The mappings of one app's legacy templates; safe to share between threads."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def put(self, legacy_id: str, template_id: str, keywords: object, *, shorten: bool) -> Translation:
        """Translate a legacy template's messages from now on; raises InvalidInput, and then nothing changed."""
        legacy_id = _read_id("legacy_id", legacy_id)
        template_id = _read_id("template_id", template_id)
        if legacy_id == template_id:
            raise InvalidInput("template_id", "is the legacy template itself", "give a subscribe template's id")
        if self._catalogue.translation(template_id) is not None:
            raise InvalidInput("template_id", "is a legacy template that is mapped itself", "give the last one's id")
        if legacy_id in self._catalogue.titles():
            raise InvalidInput("legacy_id", "is a subscribe template", "it is sent as it is: map legacy ids only")
        found = self._catalogue.find(template_id)
        translation = read_translation(template_id, keywords, template=found.template, shortens=shorten)
        legacy = self._catalogue.legacy(legacy_id)
        with self._database.transaction() as connection:
            translations.put(connection, legacy.template_no, found.template_no, translation)
        self._catalogue.reload()
        return translation

    def take_away(self, legacy_id: str) -> None:
        """Translate a legacy template's messages no longer; raises NotFound where they were not."""
        known = self._catalogue.translation(_read_id("legacy_id", legacy_id))
        with self._database.transaction() as connection:
            if known is None or not translations.take_away(connection, self._catalogue.number(legacy_id)):
                raise NotFound("that template has no mapping: see `pushjobs template mappings`")
        self._catalogue.reload()

    def read(self) -> Mapping[str, Translation]:
        """Return every mapping by its legacy template's id."""
        return self._catalogue.translations()


def _read_id(field: str, value: object) -> str:
    try:
        return read_template_id({"template_id": value})
    except InvalidInput as refusal:
        raise InvalidInput(field, refusal.fault, refusal.rule) from None
