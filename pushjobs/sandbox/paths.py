"""The paths of WeChat that the sandbox serves, spelled once."""

__all__ = [
    "ADD_TEMPLATE",
    "ALL",
    "CATEGORY",
    "CLEAR_QUOTA",
    "CLEAR_QUOTA_BY_SECRET",
    "CONTENT_CHECK",
    "DELETE_TEMPLATE",
    "KEYWORDS",
    "LEGACY_ADD",
    "LEGACY_DELETE",
    "LEGACY_KEYWORDS",
    "LEGACY_SEND",
    "LEGACY_TEMPLATES",
    "LEGACY_TITLES",
    "LOGIN",
    "PAST_REQUEST",
    "QUOTA",
    "SENDS",
    "STABLE_TOKEN",
    "SUBSCRIBE_SEND",
    "TEMPLATES",
    "TITLES",
    "TOKEN",
    "UNIFORM_SEND",
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
CLEAR_QUOTA = "/cgi-bin/clear_quota"
CLEAR_QUOTA_BY_SECRET = "/cgi-bin/clear_quota/v2"  # noqa: S105 - a path
CONTENT_CHECK = "/wxa/msg_sec_check"
PAST_REQUEST = "/cgi-bin/openapi/rid/get"
LOGIN = "/sns/jscode2session"
# Those of before 2020: what manages templates lies below /wxopen, what sends them below /message/wxopen.
LEGACY_TITLES = "/cgi-bin/wxopen/template/library/list"
LEGACY_KEYWORDS = "/cgi-bin/wxopen/template/library/get"
LEGACY_ADD = "/cgi-bin/wxopen/template/add"
LEGACY_TEMPLATES = "/cgi-bin/wxopen/template/list"
LEGACY_DELETE = "/cgi-bin/wxopen/template/del"
UNIFORM_SEND = "/cgi-bin/message/wxopen/template/uniform_send"

SENDS = (SUBSCRIBE_SEND, LEGACY_SEND)
ALL = frozenset(
    {
        *(*SENDS, TOKEN, STABLE_TOKEN),
        *(TEMPLATES, ADD_TEMPLATE, DELETE_TEMPLATE, CATEGORY, TITLES, KEYWORDS),
        *(LEGACY_TITLES, LEGACY_KEYWORDS, LEGACY_ADD, LEGACY_TEMPLATES, LEGACY_DELETE),
        *(QUOTA, CLEAR_QUOTA, CLEAR_QUOTA_BY_SECRET, PAST_REQUEST, CONTENT_CHECK),
    }
)
