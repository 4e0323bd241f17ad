"""The campaigns of this example, in code: `pushjobs up`, started in this directory, reads them at its start."""

import os

__all__ = ["CAMPAIGNS"]

CAMPAIGNS = {
    "daily-news": {
        "name": "每日要闻",
        "cron": "0 8 * * *",
        "zone": "Asia/Shanghai",
        "template_id": "daily-news".ljust(43, "0"),  # the sandbox has it; yours is in `pushjobs template list`
        "audience": {"iterable": "audience:readers"},
        "content": {
            "data": {"thing1": "{title}", "thing2": "{summary}", "date3": "{published}"},
            "page": "pages/news/index?from=daily",
            "feed": {"url": os.environ.get("NEWS_FEED", "http://127.0.0.1:8642/feed.xml"), "skip_if_nothing_new": True},
        },
        "expires": "6h",
        "on_quota": "refuse",
        "missed": "latest",
        "grace": "30m",
    },
}
