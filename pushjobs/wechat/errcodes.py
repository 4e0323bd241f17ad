"""WeChat's result codes as one table: code → meaning, outcome, source. Nothing else reads a code.

A second table has the codes that only calls around the sends answer: there, a code is an exception with a meaning.

A row says what one answer to a send means for us, also where the code comes from the token call that goes before it.
The table refuses to guess: a code without a row means that the job is refused and an operator told, never that it is
sent again. `0` has no row: success carries a `msgid`, and the client makes it `Sent`.

Where pages differ, the row takes the reading that cannot send twice and cannot burn a day's calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from pushjobs.domain.job import Reason
from pushjobs.domain.outcome import DayOver, Fatal, Outcome, Refused, Retry, SlowDown, TemplateFault, Token

__all__ = [
    "CALL_ERRCODES",
    "CLEARANCES_USED_UP",
    "ERRCODES",
    "SOURCES",
    "TEMPLATE_EXISTS",
    "CallErrcode",
    "Errcode",
    "meaning",
    "read",
]

TEMPLATE_EXISTS = 200022
"""The one code of the template calls that is no refusal: the template is there already, and is named."""

CLEARANCES_USED_UP = 48006
"""The month's clearances of the daily counters are used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errcode:
    """One result code of WeChat: what it means, what we make of it, and the keys in `SOURCES` of who says so."""

    code: int
    meaning: str
    outcome: Outcome
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallErrcode:
    """A result code that no send answers: what it means, and who says so."""

    code: int
    meaning: str
    source: tuple[str, ...]


def read(errcode: int) -> Outcome:
    """Say what an answer with this code means; one that is not in the table refuses the job as an unlisted code."""
    row = ERRCODES.get(errcode)
    return row.outcome if row else _unexpected(errcode=errcode)


def meaning(errcode: int) -> str:
    """Say in a few words what WeChat means by a code."""
    row = ERRCODES.get(errcode) or CALL_ERRCODES.get(errcode)
    return row.meaning if row else "a code no page lists"


def _row(code: int, meaning: str, outcome: Callable[..., Outcome], source: str) -> Errcode:
    return Errcode(code=code, meaning=meaning, outcome=outcome(errcode=code), source=tuple(source.split()))


_no_consent = partial(Refused, reason=Reason.NO_CONSENT)
_form_id = partial(Refused, reason=Reason.FORM_ID)
_recipient = partial(Refused, reason=Reason.RECIPIENT)
_content = partial(Refused, reason=Reason.CONTENT)
_unexpected = partial(Refused, reason=Reason.UNLISTED_CODE)
_this_job_or_template = TemplateFault
_template = partial(TemplateFault, in_a_row=1)
_next_minute = partial(SlowDown, to_next_minute=True)
_ten_minutes = partial(SlowDown, seconds=600.0)
_admin_to_confirm = partial(Fatal, hold_seconds=600.0)

_ROWS = (
    _row(-1000, "system error (an old list's code)", Retry, "W1"),
    _row(-1, "system busy", Retry, "G1 X4 T15"),
    _row(20001, "system error of the template service", Retry, "S5"),
    _row(40001, "access_token invalid or not the latest", Token, "S1 I3"),
    _row(40002, "grant_type invalid (token call)", Fatal, "A1 A2"),
    _row(40003, "openid invalid: another app's, empty or malformed", _recipient, "S1"),
    _row(40013, "appid invalid", Fatal, "G1 A1"),
    _row(40014, "access_token invalid", Token, "S1"),
    _row(40033, "the body escapes its characters", Fatal, "X3"),
    _row(40035, "parameter invalid", _content, "X2"),
    _row(40036, "template_id has the wrong length", _template, "X2"),
    _row(40037, "template_id unknown to this app", _template, "S1"),
    _row(40066, "url invalid: check the path of the call", Fatal, "G1 T16"),
    _row(40097, "parameter invalid", _content, "X1"),
    _row(40125, "secret invalid (token call)", Fatal, "A1 A2"),
    _row(40164, "this machine's IP address is not on the app's allow-list (token call)", Fatal, "A1 T2"),
    _row(40165, "page of a Mini Program invalid", _content, "X2 T17"),
    _row(40243, "secret frozen by its owner (token call)", Fatal, "A1 A2"),
    _row(41001, "access_token missing", Fatal, "G1"),
    _row(41002, "appid missing (token call)", Fatal, "A1 A2"),
    _row(41004, "secret missing (token call)", Fatal, "A1 A2"),
    _row(41028, "form_id invalid or expired", _form_id, "L5"),
    _row(41029, "form_id used up", _form_id, "L5"),
    _row(41030, "page not in the released version, or with a leading slash", _this_job_or_template, "S1b T4"),
    _row(41031, "form_id blocked as a punishment", Fatal, "X2"),
    _row(41032, "form_id blocked as a punishment", Fatal, "X2"),
    _row(41034, "sending by form submits forbidden as a punishment", Fatal, "X2"),
    _row(41035, "sending by prepay_id forbidden as a punishment", Fatal, "X2"),
    _row(42001, "access_token expired", Token, "G1"),
    _row(43001, "GET required", Fatal, "G1"),
    _row(43002, "POST required", Fatal, "G1 A2"),
    _row(43003, "HTTPS required", Fatal, "G1"),
    _row(43004, "the recipient must follow the account", _no_consent, "X3"),
    _row(43019, "the recipient is on the account's blacklist", _recipient, "X3"),
    _row(43100, "the template was changed too often", SlowDown, "X2 I10"),
    _row(43101, "no subscription: refused, never given, or its one message is used up", _no_consent, "S1 T12b"),
    _row(43102, "the template is not of the subscription kind", _template, "X2"),
    _row(43104, "openid and appid do not belong together, or the app lacks a permission", _recipient, "X2 M1"),
    _row(43107, "subscribe messages banned for this app", Fatal, "S1"),
    _row(43108, "two calls at once to the same openid", Retry, "S1 T8"),
    _row(43116, "template banned for abuse", _template, "T17b X6"),
    _row(44002, "empty body", Fatal, "X1"),
    _row(44990, "too many calls this second", SlowDown, "T18"),
    _row(44991, "too many calls this minute", _next_minute, "M1"),
    _row(44992, "too many calls: no page lists the code, by its position perhaps this hour", _ten_minutes, "guess"),
    _row(44993, "too many calls today", DayOver, "T19"),
    _row(45009, "the day's calls are used up", DayOver, "G1 A4"),
    _row(45011, "too many calls this minute", _next_minute, "G1 R1"),
    _row(45013, "template message with too many arguments", _content, "X2"),
    _row(45014, "template message too large", _content, "X2"),
    _row(45026, "the account has too many templates", _content, "X2"),
    _row(45027, "the template conflicts with the account's industry", _content, "X2"),
    _row(45029, "too many template messages today", DayOver, "X2"),
    _row(45100, "keyword_id_list has the wrong size", _content, "X2"),
    _row(45102, "the interface is blocked for a while", _ten_minutes, "X2"),
    _row(45103, "the interface was withdrawn", Fatal, "T5"),
    _row(45109, "the interface was withdrawn", Fatal, "U1"),
    _row(45157, "tag name invalid: no answer to a send", _unexpected, "X2"),
    _row(45168, "sensitive words in the content", _content, "S1 X2"),
    _row(45501, "the platform blocks this app's requests", Fatal, "X2"),
    _row(46101, "the interface was withdrawn in January 2020", Fatal, "X2"),
    _row(47001, "the body could not be parsed, or a field is missing", _content, "G1 M1"),
    _row(47002, "the body escapes its characters", Fatal, "X2"),
    _row(47003, "a value breaks the rule of its keyword", _this_job_or_template, "S1"),
    _row(48001, "the interface is not granted to this app, or the token is another account's", Fatal, "G2"),
    _row(48002, "the recipient refuses messages", _no_consent, "X3"),
    _row(48004, "the interface is banned for this app", Fatal, "G1"),
    _row(48008, "no right to send this kind of message", Fatal, "X2"),
    _row(48009, "the interface has expired", Fatal, "X2"),
    _row(48011, "template disabled", _template, "X2"),
    _row(50001, "the user did not authorise the interface", _recipient, "X3"),
    _row(50002, "the user is restricted, perhaps frozen or closed", _recipient, "G1"),
    _row(50004, "the account may not ask for tokens", Fatal, "A1"),
    _row(50007, "the account is frozen", Fatal, "A1"),
    _row(61004, "the third-party platform's IP address is not on its allow-list", Fatal, "G1"),
    _row(61007, "the app has not authorised the third-party platform for this", Fatal, "G1"),
    _row(61014, "a token of the wrong kind for a third-party platform", Fatal, "G1"),
    _row(61023, "the third-party platform's refresh_token is invalid", Fatal, "G1"),
    _row(61024, "a third-party platform must call with its component token", Fatal, "X2"),
    _row(70000, "blocked to protect minors", _recipient, "K1"),
    _row(87009, "signature invalid (session check): no answer to a send", _unexpected, "R2"),
    _row(87014, "risky content", _content, "X1"),
    _row(89501, "an administrator has yet to confirm this IP address (token call)", _admin_to_confirm, "X2"),
    _row(89502, "an administrator has yet to confirm this IP address (token call)", _admin_to_confirm, "X2"),
    _row(89503, "an administrator must confirm this IP address (token call)", _admin_to_confirm, "A1 A2"),
    _row(89504, "an administrator has yet to confirm this IP address (token call)", _admin_to_confirm, "X2"),
    _row(89505, "an administrator has yet to confirm this IP address (token call)", _admin_to_confirm, "X2"),
    _row(
        89506,
        "an administrator refused this IP address, for 24 hours (token call)",
        partial(Fatal, hold_seconds=86400.0),
        "A1 A2",
    ),
    _row(
        89507,
        "an administrator refused this IP address, for an hour (token call)",
        partial(Fatal, hold_seconds=3600.0),
        "A1 A2",
    ),
    _row(200001, "system error of the template service", Retry, "S5"),
)

ERRCODES = MappingProxyType({row.code: row for row in _ROWS})
"""Every code we know an answer to a send can carry, by number."""

_CALL_ROWS = (
    (404, "wrong HTTP method (template calls)", "S5"),
    (20002, "parameter invalid (template calls)", "S5"),
    (40029, "login code invalid, used or expired", "R1"),
    (40129, "scene invalid (content check)", "M1"),
    (40226, "the user is blocked as a high risk (login)", "R1"),
    (40400, "the HTTP request is malformed (template calls)", "S5"),
    (43106, "adding templates is forbidden as a punishment", "T10"),
    (CLEARANCES_USED_UP, "the month's ten clearances of the daily counters are used up", "Q2"),
    (61010, "the user has not opened the Mini Program for two hours (content check)", "M1"),
    (76001, "no request of that rid", "Q5"),
    (76002, "the rid is malformed", "Q5"),
    (76003, "another account's rid, or a path that is none", "Q1 Q5"),
    (76004, "the rid is older than seven days", "Q5"),
    (76021, "no call has that path", "Q1"),
    (76022, "the path is not this account's, or has no quota", "Q1"),
    (200002, "parameter invalid (template calls)", "S5"),
    (200011, "the account is banned from adding templates", "S5"),
    (200012, "the account has as many templates as it may", "S5"),
    (200013, "the template is banned", "S5"),
    (200014, "no title has that tid", "S5"),
    (200016, "start is out of range", "S5"),
    (200017, "limit is out of range", "S5"),
    (200018, "ids are missing", "S5"),
    (200019, "ids are invalid", "S5"),
    (200020, "kidList is invalid", "S5"),
    (200021, "sceneDesc is invalid", "S5"),
    (TEMPLATE_EXISTS, "a template of that title and those keywords exists", "S5"),
    (200100, "the account is no Mini Program", "S5"),
)

CALL_ERRCODES = MappingProxyType(
    {code: CallErrcode(code=code, meaning=words, source=tuple(source.split())) for code, words, source in _CALL_ROWS}
)
"""Every code we know of the other calls: templates, login, the account's tools. Those of sends can come there too."""

_WEIXIN = "developers.weixin.qq.com"
_PAGES = f"{_WEIXIN}/miniprogram/dev"
_WXJAVA = "binarywang/WxJava: weixin-java-common, me/chanjar/weixin/common/error"

SOURCES = MappingProxyType(
    {
        "A1": f"{_PAGES}/server/API/mp-access-token/api_getaccesstoken.html",
        "A2": f"{_PAGES}/server/API/mp-access-token/api_getstableaccesstoken.html",
        "A4": f"{_WEIXIN}/doc/service/en/Message_Management/API_Call_Limits.html",
        "G1": f"{_WEIXIN}/doc/oplatform/developers/errCode/errCode.html",
        "G2": f"{_WEIXIN}/doc/oplatform/developers/troubleshooting",
        "I10": "node-webot/wechat-api, issue 242",
        "I3": "silenceper/wechat, issue 870",
        "K1": f"{_PAGES}/server/API/kf-mgnt/kf-message/api_sendcustommessage.html",
        "L5": "blog.csdn.net/ekey_code/article/details/73790380 (a copy of the page of 2017)",
        "M1": f"{_PAGES}/server/API/sec-center/sec-check/api_msgseccheck.html",
        "Q1": f"{_PAGES}/server/API/openApi-mgnt/api_getapiquota.html",
        "Q2": f"{_PAGES}/server/API/openApi-mgnt/api_clearquota.html",
        "Q5": f"{_PAGES}/server/API/openApi-mgnt/api_getridinfo.html",
        "R1": f"{_PAGES}/server/API/user-login/api_code2session.html",
        "R2": f"{_PAGES}/server/API/user-login/api_checksessionkey.html",
        "S1": f"{_PAGES}/server/API/mp-message-management/subscribe-message/api_sendmessage.html",
        "S1b": f"{_WEIXIN}/minigame/dev/api-backend/open-api/subscribe-message/subscribeMessage.send.html",
        "S5": f"{_PAGES}/server/API/mp-message-management/subscribe-message/api_addwxanewtemplate.html",
        "T10": f"{_WEIXIN}/community/personal/oCJUsw4Dbdu9kJS1H_En2osV2FHM/question",
        "T12b": f"{_WEIXIN}/community/develop/doc/00006a65478f58bb3a727d7276b000",
        "T15": f"{_WEIXIN}/community/personal/oCJUswxzB_tA7OqMDdAvPUlMIxGE/answer",
        "T16": f"{_WEIXIN}/community/personal/oCJUsw7awZTCLrOJoPsVm066akok/question",
        "T17": "blog.csdn.net/VLilyV/article/details/82351076",
        "T17b": f"{_WEIXIN}/community/personal/oCJUsw2JRQVc2o-_VnaVs0WC3uXY/question",
        "T18": f"{_WEIXIN}/community/develop/doc/0002e6e2c24e808dd432eabeb61c00",
        "T19": f"{_WEIXIN}/community/develop/doc/000824dfd50e786bfbc40413b66800",
        "T2": f"{_WEIXIN}/community/develop/doc/000e067cac4100bd739c10fe55b000",
        "T4": f"{_WEIXIN}/community/develop/doc/88c0b7aec5f96b90c1064c526f3065bf",
        "T5": f"{_WEIXIN}/community/develop/doc/000c04853402e8068caa499025b000",
        "T8": f"{_WEIXIN}/community/personal/oCJUswxW1rj9va2jVIhSJuUXMxp8/answer",
        "U1": f"{_WEIXIN}/community/develop/doc/0008e045cacdd0dc0e806a2b06b000",
        "W1": "wechatpy/wechatpy: wechatpy/constants.py",
        "X1": f"{_WXJAVA}/WxMaErrorMsgEnum.java",
        "X2": f"{_WXJAVA}/WxOpenErrorMsgEnum.java",
        "X3": f"{_WXJAVA}/WxMpErrorMsgEnum.java",
        "X4": "binarywang/WxJava: weixin-java-miniapp, BaseWxMaServiceImpl.java",
        "X6": "public copies of the service accounts' list of codes",
        "guess": "no source: our guess",
    }
)
"""Where each row's facts were read, by the keys the rows name."""
