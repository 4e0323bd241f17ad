"""The log of the sends that were received: the one place where this project's promises are counted.

It takes down every send that was read in full, whatever it was answered, with the moment it had arrived. Kept in
columns, because a million sends must fit: without bodies about 250 bytes each, with them the body more.
"""

import sys
from array import array
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

import orjson

from pushjobs.sandbox.paths import SENDS
from pushjobs.sandbox.request import Request

__all__ = ["Received", "Verdict"]

_UNJUDGED = -(2**31)  # stands for None in a column of integers


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was decided about one send. `errcode` None: it was read, and nothing was done with it.

    `holds` is the set of users in flight that this send has entered its user into, to leave when the answer is written.
    """

    errcode: int | None
    content: bytes = b""
    appid: str = ""
    touser: str = ""
    template_id: str = ""
    msgid: int = 0
    holds: set[str] | None = None


class Received:
    """Every send read, in order of arrival; the first has number 1."""

    def __init__(self) -> None:
        self._arrived = array("d")
        self._errcodes = array("i")
        self._msgids = array("Q")
        self._paths = array("B")
        self._appids: list[str] = []
        self._tousers: list[str] = []
        self._template_ids: list[str] = []
        self._bodies: list[bytes | None] = []
        self._faults: dict[int, str] = {}
        self._by_errcode: Counter[int] = Counter()
        self._accepted: set[int] = set()
        self._repeats = 0
        self._second: deque[float] = deque()
        self._peak = 0
        self._peak_at: float | None = None
        self.dropped = 0

    def add(self, request: Request, verdict: Verdict, *, fault: str | None, keep_body: bool) -> None:
        """Take down one send; `fault` names what spoilt its answer."""
        errcode = _UNJUDGED if verdict.errcode is None else verdict.errcode
        self._arrived.append(request.arrived_at)
        self._errcodes.append(errcode)
        self._msgids.append(verdict.msgid)
        self._paths.append(SENDS.index(request.path))
        self._appids.append(verdict.appid)
        self._tousers.append(verdict.touser)
        self._template_ids.append(sys.intern(verdict.template_id))
        self._bodies.append(request.body if keep_body else None)
        if fault is not None:
            self._faults[len(self._arrived)] = fault
        self._by_errcode[errcode] += 1
        if errcode == 0:
            self._count_repeat(request, verdict)
        self._count_second(request.arrived_at)

    def _count_repeat(self, request: Request, verdict: Verdict) -> None:
        content = orjson.dumps(request.message.get("data"), option=orjson.OPT_SORT_KEYS)
        message = hash((verdict.appid, verdict.touser, verdict.template_id, content))
        if message in self._accepted:
            self._repeats += 1
        self._accepted.add(message)

    def _count_second(self, arrived_at: float) -> None:
        second = self._second
        second.append(arrived_at)
        while second[0] <= arrived_at - 1.0:
            second.popleft()
        if len(second) > self._peak:
            self._peak, self._peak_at = len(second), arrived_at

    def pace(self) -> dict[str, Any]:
        """Return the most arrivals in any sliding second, when it ended, and the average between first and last."""
        count = len(self._arrived)
        seconds = self._arrived[-1] - self._arrived[0] if count > 1 else 0.0
        average = (count - 1) / seconds if seconds > 0 else None
        return {"received": count, "peak": self._peak, "peak_at": self._peak_at, "average": average}

    def summary(self) -> dict[str, Any]:
        """Return the counts. `repeats`: accepted sends whose user, template and data had been accepted before."""
        by_errcode = {str(code): count for code, count in sorted(self._by_errcode.items()) if code != _UNJUDGED}
        return {
            "received": len(self._arrived),
            "accepted": self._by_errcode[0],
            "by_errcode": by_errcode,
            "unjudged": self._by_errcode[_UNJUDGED],
            "dropped": self.dropped,
            "repeats": self._repeats,
            "first_arrival": self._arrived[0] if self._arrived else None,
            "last_arrival": self._arrived[-1] if self._arrived else None,
            "peak_per_second": self._peak,
        }

    def page(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` sends numbered above `after`, in order."""
        return [self._entry(seq) for seq in range(after + 1, min(after + limit, len(self._arrived)) + 1)]

    def _entry(self, seq: int) -> dict[str, Any]:
        row = seq - 1
        errcode = self._errcodes[row]
        return {
            "seq": seq,
            "arrived_at": self._arrived[row],
            "appid": self._appids[row],
            "path": SENDS[self._paths[row]],
            "touser": self._tousers[row],
            "template_id": self._template_ids[row],
            "errcode": None if errcode == _UNJUDGED else errcode,
            "msgid": self._msgids[row] or None,
            "fault": self._faults.get(seq),
            "body": _body(self._bodies[row]),
        }


def _body(body: bytes | None) -> Any:  # noqa: ANN401 - any JSON value
    if body is None:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")
