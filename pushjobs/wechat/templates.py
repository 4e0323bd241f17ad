"""The app's own templates, as WeChat lists them, in our words.

Called rarely and never on the send path: WeChat allows few of these calls (wechat-api.md 4.3, [T9], [T11]).
"""

import re
from typing import Any

from pushjobs.domain.template import Template, TemplateField
from pushjobs.wechat.client import Client

__all__ = ["list_templates"]

_PATH = "/wxaapi/newtmpl/gettemplate"
_KEYWORD = re.compile(r"\{\{(\w+)\.DATA\}\}")


async def list_templates(client: Client, access_token: str) -> list[tuple[str, Template]]:
    """Return title and template of each subscribe template the app has; raises CallRefused or Unreachable."""
    answer = await client.ask("GET", _PATH, access_token=access_token)
    return [(str(listed["title"]), _template(listed)) for listed in answer.get("data", ())]


def _template(listed: dict[str, Any]) -> Template:
    allowed = {
        enum["keywordCode"].removesuffix(".DATA"): tuple(enum["enumValueList"])
        for enum in listed.get("keywordEnumValueList") or ()
    }
    keys = dict.fromkeys(_KEYWORD.findall(listed["content"]))
    fields = tuple(TemplateField(key=key, allowed=allowed.get(key, ())) for key in keys)
    return Template(template_id=str(listed["priTmplId"]), fields=fields)
