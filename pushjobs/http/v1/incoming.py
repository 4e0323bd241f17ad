"""A body that is handed on as it comes: read in a thread, piece by piece, and never held as a whole."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from pushjobs import clock
from pushjobs.http.v1.asked import CLOSE
from pushjobs.http.v1.problems import TOO_LARGE, TOO_SLOW, UNREADABLE, Refused

__all__ = ["Incoming"]

_LONGEST = 64 * 1024 * 1024
_PIECE_SECONDS = 30.0
_WHOLE_SECONDS = 600.0
_SPARE_SECONDS = 5.0


class Incoming:
    """Reads the body of one request. Made in the event loop; `read` is for one thread beside it.

    `media_type` is what the body says it is, without parameters.
    """

    def __init__(
        self,
        request: Request,
        *,
        longest: int = _LONGEST,
        piece_seconds: float = _PIECE_SECONDS,
    ) -> None:
        """`longest`: bytes of the whole body; `piece_seconds`: how long a piece is waited for. Raises Refused."""
        said = request.headers.get("content-length", "0")
        if said.isdecimal() and int(said) > longest:
            raise _too_large(longest)
        self.media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._loop = asyncio.get_running_loop()
        self._chunks: AsyncIterator[bytes] = aiter(request.stream())
        self._longest = longest
        self._piece_seconds = piece_seconds
        self._until = clock.monotonic() + _WHOLE_SECONDS
        self._taken = 0
        self._held = b""
        self._is_over = False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, fewer only at the end, none behind it; raises Refused as `read_body` does."""
        # Should the loop end meanwhile, nobody answers.
        return asyncio.run_coroutine_threadsafe(self._next(size), self._loop).result(
            self._piece_seconds + _SPARE_SECONDS
        )

    async def _next(self, size: int) -> bytes:
        chunks = [self._held]
        held = len(self._held)
        try:
            async with asyncio.timeout(min(self._piece_seconds, max(self._until - clock.monotonic(), 0.0))):
                while held < size and not self._is_over:
                    chunk = await anext(self._chunks, None)
                    if chunk is None:
                        self._is_over = True
                        break
                    self._taken += len(chunk)
                    if self._taken > self._longest:
                        raise _too_large(self._longest)
                    chunks.append(chunk)
                    held += len(chunk)
        except TimeoutError:
            rule = f"256 KiB are waited for {self._piece_seconds:g} s at most, the whole for {_WHOLE_SECONDS:g} s"
            raise Refused(TOO_SLOW, rule, headers=CLOSE) from None
        except ClientDisconnect:
            raise Refused(UNREADABLE, "the body was cut off", headers=CLOSE) from None
        whole = b"".join(chunks)
        self._held = whole[size:]
        return whole[:size]


def _too_large(longest: int) -> Refused:
    return Refused(TOO_LARGE, f"a body has at most {longest:,} bytes here", headers=CLOSE)
