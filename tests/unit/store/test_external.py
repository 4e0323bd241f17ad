"""Foreign databases of kinds that no test can start: what is said of their errors."""

import pytest
from sqlalchemy import make_url

from pushjobs.store.external import ForeignDatabase


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(1054, "Unknown column 'oSecret' in 'field list'"), "RuntimeError 1054"),
        (RuntimeError("Truncated incorrect value: oSecret"), "RuntimeError"),
        (RuntimeError("oSecret"), "RuntimeError"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_an_error_is_told_by_type_and_number(error: Exception, said: str) -> None:
    """Of a database whose sentences we do not know none is repeated, for any may quote a row."""
    database = ForeignDatabase(make_url("mysql://u:hush-hush@db.example/crm"))
    assert [database._quoted(error, has_begun=has_begun) for has_begun in (False, True)] == [said, said]
