"""`hammer.py PORT TOKEN SENDS CONNECTIONS [PIPELINED]`: sends as fast as the sandbox answers, from its own process.

A protocol written by hand, so that the server is what is measured. Prints a line of JSON: seconds taken, answers that
were not a success.
"""

import asyncio
import json
import sys
import time
from functools import partial
from typing import cast

import uvloop

from pushjobs.sandbox.catalogue import ORDER_SHIPPED

_END = b"}"


class Hammer(asyncio.Protocol):
    """One connection: always `pipelined` requests under way, each to another user."""

    def __init__(self, requests: list[bytes], pipelined: int, done: asyncio.Future[int]) -> None:
        self._requests, self._pipelined, self._done = requests, pipelined, done
        self._left, self._faults = len(requests), 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is none by name
        self._send(self._pipelined)

    def data_received(self, data: bytes) -> None:
        """Count answers; each is one JSON object, and no head has a brace."""
        answers = data.count(_END)
        self._faults += answers - data.count(b'"errcode":0,')
        self._left -= answers
        if self._left == 0:
            self._done.set_result(self._faults)
        else:
            self._send(answers)

    def _send(self, count: int) -> None:
        self._transport.write(b"".join(self._requests.pop() for _ in range(min(count, len(self._requests)))))


def request(token: str, number: int) -> bytes:
    """Return one send, as bytes."""
    values = {"thing1": "高山乌龙茶 250 克", "character_string2": f"OD{number}", "thing3": "顺丰", "time5": "15:01"}
    message = {
        "touser": f"oSandboxUser{number:016d}",
        "template_id": ORDER_SHIPPED,
        "page": "pages/order/index?from=push",
        "data": {key: {"value": value} for key, value in values.items()},
        "miniprogram_state": "formal",
        "lang": "zh_CN",
    }
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    head = f"POST /cgi-bin/message/subscribe/send?access_token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def hammer(port: int, token: str, sends: int, connections: int, pipelined: int) -> dict[str, float]:
    """Send them all, spread over the connections."""
    loop = asyncio.get_running_loop()
    shares = [[request(token, number) for number in range(start, sends, connections)] for start in range(connections)]
    dones = [loop.create_future() for _ in shares]
    began = time.perf_counter()
    for share, done in zip(shares, dones, strict=True):
        await loop.create_connection(partial(Hammer, share, pipelined, done), "127.0.0.1", port)
    faults = sum(await asyncio.gather(*dones))
    return {"seconds": time.perf_counter() - began, "faults": faults}


if __name__ == "__main__":
    port, token, *numbers = sys.argv[1:]
    sends, connections, pipelined = (int(number) for number in [*numbers, "1"][:3])
    sys.stdout.write(json.dumps(uvloop.run(hammer(int(port), token, sends, connections, pipelined))))
