"""What can be asked about by its `rid`: the calls that were refused, the latest ten thousand of them."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from pushjobs.sandbox.answers import Refusal, refusal
from pushjobs.sandbox.request import Request

__all__ = ["PastRequests"]

_REMEMBERED_SECONDS = 7 * 86400.0
_KEPT = 10_000
_RID = re.compile("[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}")
_RID_AT_END = re.compile(rb'rid: ([0-9a-f-]{26})"')
_SHOWN_OF_TOKEN = 7


@dataclass(frozen=True, slots=True)
class _Past:
    appid: str
    request: Request
    answer: bytes


class PastRequests:
    """The refused calls by rid, the oldest first."""

    def __init__(self) -> None:
        self._by_rid: OrderedDict[str, _Past] = OrderedDict()

    def note(self, request: Request, answer: bytes, appid: str) -> None:
        """Remember a call if its answer has a rid."""
        if rid := _RID_AT_END.search(answer):
            self._by_rid[rid[1].decode()] = _Past(appid, request, answer)
            if len(self._by_rid) > _KEPT:
                self._by_rid.popitem(last=False)

    def find(self, rid: object, appid: str, at: float) -> dict[str, Any] | Refusal:
        """Return a call of an app as WeChat tells of it, or WeChat's refusal."""
        if not isinstance(rid, str) or not _RID.fullmatch(rid):
            return refusal(76002)
        past = self._by_rid.get(rid)
        if past is None:
            return refusal(76001)
        if past.appid != appid:
            return refusal(76003)
        if at - past.request.arrived_at >= _REMEMBERED_SECONDS:
            return refusal(76004)
        return {
            "invoke_time": int(past.request.arrived_at),
            "cost_in_ms": 1,
            "request_url": f"access_token={past.request.query.get('access_token', '')[:_SHOWN_OF_TOKEN]}xxxx",
            "request_body": past.request.body.decode(errors="replace"),
            "response_body": past.answer.decode(),
            "client_ip": "127.0.0.1",
        }
