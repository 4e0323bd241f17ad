"""The paths of WeChat that the sandbox serves, spelled once."""

__all__ = [
    "ADD_TEMPLATE",
    "ALL",
    "CATEGORY",
    "DELETE_TEMPLATE",
    "KEYWORDS",
    "LEGACY_SEND",
    "QUOTA",
    "SENDS",
    "STABLE_TOKEN",
    "SUBSCRIBE_SEND",
    "TEMPLATES",
    "TITLES",
    "TOKEN",
]

TOKEN = "/cgi-bin/token"  # noqa: S105 - a path
STABLE_TOKEN = "/cgi-bin/stable_token"  # noqa: S105 - a path
SUBSCRIBE_SEND = "/cgi-bin/message/subscribe/send"
LEGACY_SEND = "/cgi-bin/message/wxopen/template/send"
TEMPLATES = "/wxaapi/newtmpl/gettemplate"
ADD_TEMPLATE = "/wxaapi/newtmpl/addtemplate"
DELETE_TEMPLATE = "/wxaapi/newtmpl/deltemplate"
CATEGORY = "/wxaapi/newtmpl/getcategory"
TITLES = "/wxaapi/newtmpl/getpubtemplatetitles"
KEYWORDS = "/wxaapi/newtmpl/getpubtemplatekeywords"
QUOTA = "/cgi-bin/openapi/quota/get"

SENDS = (SUBSCRIBE_SEND, LEGACY_SEND)
ALL = frozenset(
    {*SENDS, TOKEN, STABLE_TOKEN, TEMPLATES, ADD_TEMPLATE, DELETE_TEMPLATE, CATEGORY, TITLES, KEYWORDS, QUOTA},
)
