"""What WeChat says is left of an app's daily allowance for one call (wechat-api.md 7.1, [Q1])."""

from pushjobs.wechat.client import SUBSCRIBE_PATH, Client

__all__ = ["remaining"]

_PATH = "/cgi-bin/openapi/quota/get"


async def remaining(client: Client, access_token: str) -> int | None:
    """Return how many subscribe messages may still be sent today; None where the answer does not say.

    Raises CallRefused or Unreachable.
    """
    answer = await client.ask("POST", _PATH, access_token=access_token, body={"cgi_path": SUBSCRIBE_PATH})
    quota = answer.get("quota")
    left = quota.get("remain") if isinstance(quota, dict) else None
    return left if isinstance(left, int) else None
