"""The daily quota as WeChat answers it: what is believed, and what is no answer."""

from typing import Any

import httpx
import orjson
import pytest

from pushjobs.wechat.client import Client
from pushjobs.wechat.quota import DailyQuota, daily_quota, remaining


async def asked(answer: dict[str, Any]) -> tuple[DailyQuota | None, int | None]:
    """Ask a WeChat that gives this answer, both ways."""
    client = Client("https://wechat.example/", call_timeout=1)
    await client._transport.aclose()
    client._transport = httpx.MockTransport(lambda _: httpx.Response(200, content=orjson.dumps(answer)))
    return await daily_quota(client, "TOKEN"), await remaining(client, "TOKEN")


async def test_the_figures_are_read() -> None:
    """What is used is what is not left, whatever else stands in the answer."""
    quota = {"daily_limit": 30_000_000, "used": 3, "remain": 29_999_990}
    found, left = await asked({"errcode": 0, "quota": quota, "rate_limit": {"call_count": 5, "refresh_second": 1}})
    assert (found, left) == (DailyQuota(limit=30_000_000, used=10), 29_999_990)


@pytest.mark.parametrize(
    "quota",
    [
        None,
        [],
        {},
        {"daily_limit": 100},
        {"remain": 100},
        {"daily_limit": "100", "remain": "100"},
        {"daily_limit": True, "remain": True},
        {"daily_limit": 0, "remain": 0},
        {"daily_limit": -1, "remain": -1},
        {"daily_limit": 100, "remain": -1},
        {"daily_limit": 100, "remain": 101},
        {"daily_limit": 1e7, "remain": 1e7},
        {"daily_limit": 2**31, "remain": 5},
    ],
)
async def test_figures_that_make_no_sense_are_no_answer(quota: object) -> None:
    """An allowance that cannot be is not believed, above all none of 0: it would stop everything for a day."""
    found, _ = await asked({"errcode": 0, "quota": quota})
    assert found is None


async def test_without_figures_nothing_is_known_to_be_left() -> None:
    """An answer without a quota says nothing of what is left."""
    assert await asked({"errcode": 0}) == (None, None)
