"""Fixtures of pytest for applications that push: a real pushjobs, and a WeChat to count at.

    # conftest.py, the one at the top
    pytest_plugins = ["pushjobs.testing"]

    # test_shop.py
    def test_a_shipped_order_is_told_of(push, sandbox):
        shop.ship("OD1", "oBuyer")
        [message] = sandbox.wait_for(touser="oBuyer")
        assert message.body["data"]["thing1"]["value"] == "雨前龙井"

`push` and `sandbox` are of an installation with workers, `accepted` of one without; all three are empty for each test.
Nothing here is faked but WeChat, by the sandbox that our own tests count at.

A plugin that is named, not one that comes with the package: an entry point would load it in every pytest of whoever has
pushjobs installed, with fixtures of such common names, and two that do so we have to keep out of our own suite.
pytest is needed here alone, so it is nothing that pushjobs depends on.
"""

try:
    import pytest  # noqa: F401 - asked for its complaint, in our words
except ModuleNotFoundError as missing:
    raise ImportError("pushjobs.testing is a plugin of pytest, which is not installed: pip install pytest") from missing

from pushjobs.testing.asked import AcceptedJob, AcceptedJobs
from pushjobs.testing.counting import Sandbox
from pushjobs.testing.fixtures import (
    accepted,
    push,
    pushjobs_emptied,
    pushjobs_installation,
    pushjobs_servers,
    pushjobs_settings,
    pushjobs_templates,
    sandbox,
)
from pushjobs.testing.installation import Installation

__all__ = [
    "AcceptedJob",
    "AcceptedJobs",
    "Installation",
    "Sandbox",
    "accepted",
    "push",
    "pushjobs_emptied",
    "pushjobs_installation",
    "pushjobs_servers",
    "pushjobs_settings",
    "pushjobs_templates",
    "sandbox",
]
