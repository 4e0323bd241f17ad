"""*Audit log*: what operators did, the latest first."""

from pushjobs.http.console.visit import Answer, Page, Shown, Visit

__all__ = ["PAGES"]

_SHOWN_AT_ONCE = 50
_DIGITS = 18


def _lines(visit: Visit) -> Answer:
    written = visit.query.get("before", "")
    before = int(written) if written.isascii() and written.isdecimal() and len(written) <= _DIGITS else None
    lines = visit.runtime.audit_log.read(visit.client, before=before, limit=_SHOWN_AT_ONCE + 1)
    shown = lines[:_SHOWN_AT_ONCE]
    following = shown[-1].entry_no if len(lines) > _SHOWN_AT_ONCE else None
    return Shown(template="audit.html", values={"lines": shown, "next": following})


PAGES = (Page(path="/console/audit", view=_lines, entry="audit"),)
