"""Which HTTP request is being answered, known to whatever is done for it: so its log lines name the request.

Work that many requests share (a transaction of sends, of callbacks) is done for none of them, and names none.
"""

from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["ASKING", "Asking"]


@dataclass(slots=True, kw_only=True)
class Asking:
    """One request: its id, and the name of the client that makes it, as soon as that is proven.

    `traceparent`: where it stands in the caller's own trace, as W3C words it; None: nowhere, or it was not said.
    """

    request_id: str
    client: str | None = None
    traceparent: str | None = None


ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""None: what is being done was not asked for over HTTP."""
