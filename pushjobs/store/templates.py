"""What is counted and set per template: faults in a row for its breaker, and its policies."""

from typing import Any

from sqlalchemy import Connection, update

from pushjobs.store.database import statement
from pushjobs.store.tables import templates

__all__ = ["count_faults", "set_policies"]

_COUNT_FAULTS = statement("""
UPDATE pushjobs.templates
   SET faults_in_a_row = CASE WHEN :starts_anew THEN 0 ELSE faults_in_a_row END + :faults
 WHERE template_no = :template_no
RETURNING faults_in_a_row""")


def count_faults(connection: Connection, template_no: int, faults: int, *, starts_anew: bool) -> int:
    """Add faults to the template's count, which `starts_anew` after a message that was sent; return the count."""
    values = {"template_no": template_no, "faults": faults, "starts_anew": starts_anew}
    return int(connection.execute(_COUNT_FAULTS, values).scalar_one())


def set_policies(connection: Connection, template_no: int, **policies: Any) -> None:  # noqa: ANN401 - columns' values
    """Set what a template is sent by: `consent`, `in_doubt`, `daily_cap`, those of the content check."""
    connection.execute(update(templates).where(templates.c.template_no == template_no).values(policies))
