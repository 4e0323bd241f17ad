"""Whom the news goes to: here generated, elsewhere a query of your own database."""

import os
from collections.abc import Iterator

__all__ = ["readers"]


def readers() -> Iterator[str]:
    """Yield the open ids of everybody who wants the news."""
    for number in range(int(os.environ.get("NEWS_READERS", "100000"))):
        yield f"oReader{number:021d}"
