"""What is counted and set per template: faults in a row for its breaker, and its policies."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, update

from pushjobs.domain.consent import ConsentPolicy
from pushjobs.domain.job import DoubtPolicy
from pushjobs.store.database import statement
from pushjobs.store.tables import templates

__all__ = ["Standing", "TemplateRules", "count_faults", "rules", "set_policies", "standings"]


@dataclass(frozen=True, slots=True)
class TemplateRules:
    """Who may be sent a template's messages, and how many a day; None: no cap of its own."""

    consent: ConsentPolicy
    daily_cap: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A template's rules as a whole, and how many faults its breaker has counted in a row."""

    rules: TemplateRules
    in_doubt: DoubtPolicy
    faults_in_a_row: int


_STANDINGS = statement("""
SELECT template_id, consent, daily_cap, in_doubt, faults_in_a_row FROM pushjobs.templates WHERE app_no = :app_no""")
_RULES = statement("SELECT consent, daily_cap FROM pushjobs.templates WHERE template_no = :template_no")

_COUNT_FAULTS = statement("""
UPDATE pushjobs.templates
   SET faults_in_a_row = CASE WHEN :starts_anew THEN 0 ELSE faults_in_a_row END + :faults
 WHERE template_no = :template_no
RETURNING faults_in_a_row""")


def count_faults(connection: Connection, template_no: int, faults: int, *, starts_anew: bool) -> int:
    """Add faults to the template's count, which `starts_anew` after a message that was sent; return the count."""
    values = {"template_no": template_no, "faults": faults, "starts_anew": starts_anew}
    return int(connection.execute(_COUNT_FAULTS, values).scalar_one())


def rules(connection: Connection, template_no: int) -> TemplateRules:
    """Return what a template's messages are admitted by."""
    row = connection.execute(_RULES, {"template_no": template_no}).one()
    return TemplateRules(consent=ConsentPolicy(row.consent), daily_cap=row.daily_cap)


def standings(connection: Connection, app_no: int) -> dict[str, Standing]:
    """Return how each of an app's templates stands, by WeChat's id."""
    return {
        row.template_id: Standing(
            rules=TemplateRules(consent=ConsentPolicy(row.consent), daily_cap=row.daily_cap),
            in_doubt=DoubtPolicy(row.in_doubt),
            faults_in_a_row=row.faults_in_a_row,
        )
        for row in connection.execute(_STANDINGS, {"app_no": app_no})
    }


def set_policies(connection: Connection, template_no: int, **policies: Any) -> None:  # noqa: ANN401 - columns' values
    """Set what a template is sent by: `consent`, `in_doubt`, `daily_cap`, those of the content check."""
    connection.execute(update(templates).where(templates.c.template_no == template_no).values(policies))
