"""What of WeChat's API that concerns sending is spoken here, by whom, and what is left out on purpose.

The rows name our modules and verbs; the paths come from the sandbox, and a row without a module says why there is none.
"""  # noqa: INP001 - a script

from dataclasses import dataclass

from pushjobs.sandbox import paths
from pushjobs.wechat.errcodes import ERRCODES
from pushjobs.wechat.fields import ValueType

__all__ = ["CALLS", "Call", "calls", "other_facts"]

_OUT = "out of scope"


@dataclass(frozen=True, slots=True)
class Call:
    """One of WeChat's calls: what it does, by whom it is made here, and by which verb a person or program asks for it.

    `by` None: nobody; `verb` then says why.
    """

    path: str
    does: str
    by: str | None
    verb: str


CALLS = (
    Call(paths.STABLE_TOKEN, "an access token, the same for all", "wechat/tokens.py", "asked for by itself"),
    Call(paths.TOKEN, "a new access token", None, "its tokens void each other; the stable ones do not"),
    Call(paths.SUBSCRIBE_SEND, "send a subscribe message", "wechat/client.py", "`push.send`"),
    Call(paths.LEGACY_SEND, "send a template message of before 2020", "wechat/client.py", "`push.send(form_id=…)`"),
    Call(paths.UNIFORM_SEND, "send a uniform message", None, f"{_OUT}: withdrawn by WeChat in 2023"),
    Call(paths.TEMPLATES, "list the app's templates", "wechat/templates.py", "`pushjobs template sync`, and nightly"),
    Call(paths.ADD_TEMPLATE, "add a template", "wechat/templates.py", "`pushjobs template add`"),
    Call(paths.DELETE_TEMPLATE, "delete a template", "wechat/templates.py", "`pushjobs template delete`"),
    Call(paths.CATEGORY, "the app's categories", "wechat/templates.py", "`pushjobs template library --categories`"),
    Call(paths.TITLES, "titles of the public library", "wechat/templates.py", "`pushjobs template library`"),
    Call(paths.KEYWORDS, "keywords of a title", "wechat/templates.py", "`pushjobs template keywords`"),
    Call(paths.LEGACY_TITLES, "titles of before 2020", "relaying.py", "passed on by the drop-in door"),
    Call(paths.LEGACY_KEYWORDS, "keywords of such a title", "relaying.py", "passed on by the drop-in door"),
    Call(paths.LEGACY_ADD, "add such a template", "relaying.py", "passed on by the drop-in door"),
    Call(paths.LEGACY_TEMPLATES, "list such templates", "relaying.py", "passed on by the drop-in door"),
    Call(paths.LEGACY_DELETE, "delete such a template", "relaying.py", "passed on by the drop-in door"),
    Call(paths.QUOTA, "what is left of a call's day", "wechat/quota.py", "`pushjobs wechat quota`, and by itself"),
    Call(paths.CLEAR_QUOTA, "begin all counters anew", "wechat/quota.py", "`pushjobs wechat clear-quota`"),
    Call(paths.CLEAR_QUOTA_BY_SECRET, "the same without a token", "wechat/quota.py", "where the token's day is over"),
    Call("/cgi-bin/openapi/quota/clear", "begin one counter anew", None, "not built: `clear_quota` does for all"),
    Call(paths.PAST_REQUEST, "what a refused request was", "wechat/past_requests.py", "`pushjobs wechat rid`"),
    Call(paths.LOGIN, "the open id behind a login code", "wechat/login.py", "`push.exchange_code`"),
    Call(paths.CONTENT_CHECK, "check a content", "wechat/content_check.py", "`pushjobs template policy --check`"),
    Call("/wxa/set_user_notify", "service cards", None, f"{_OUT}: no free-form scheduled message"),
    Call("/cgi-bin/message/custom/send", "customer-service messages", None, f"{_OUT}: only to users who just wrote"),
)


def calls() -> list[tuple[str, str, str, str, str]]:
    """Return a row for each call: path, what it does, our module, our verb, whether the sandbox plays it."""
    played = {*paths.ALL, paths.UNIFORM_SEND, paths.LOGIN}
    return [
        (
            f"`{each.path}`",
            each.does,
            f"`{each.by}`" if each.by else "",
            each.verb,
            "yes" if each.path in played else "",
        )
        for each in CALLS
    ]


def other_facts() -> list[tuple[str, str]]:
    """Return the other tables of facts, and where each is kept."""
    return [
        ("value types of keywords", f"all {len(ValueType)}: [texts of keywords](fields.md)"),
        ("error codes of sending", f"{len(ERRCODES)} codes: [WeChat's answers](errcodes.md); others are never retried"),
        ("transport outcomes", "`wechat/transport.py`: surely not sent, or maybe sent"),
        (
            "kinds of subscription",
            "one-time and long-term, in the catalogue; frequency-limited counts as long-term",
        ),
        ("form ids", "one message, three for a prepay id, seven days: `store/form_ids.py`"),
        ("events", "popup, change and sent, JSON and XML, three modes: `wechat/events.py`, `receipts.py`"),
        ("signatures and encryption", "both ways, WeChat's vectors: `wechat/crypto.py`"),
        ("daily limits", "WeChat's for the app: `delivery/allowance.py`; per-minute codes pause to the clock minute"),
        ("device subscriptions", f"{_OUT}: another send call"),
        ("third-party platforms", f"{_OUT}: their codes stop the app"),
    ]
