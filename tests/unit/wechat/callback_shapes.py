"""Every shape WeChat's three events come in, beside the words that each must become (wechat-api.md 5.3)."""

import json
from datetime import UTC, datetime
from typing import Any

from pushjobs.domain.receipt import ConsentGiven, ConsentWithdrawn, Receipt, Told
from tests.unit.wechat.callback_vectors import EVENT

AT = datetime.fromtimestamp(1620963428, UTC)
USER, TEMPLATE = "oTestOpenid0001", "TPL_A"
HEAD = {"ToUserName": "gh_97417a04a28d", "FromUserName": USER, "CreateTime": 1620963428, "MsgType": "event"}


def event(name: str, **more: object) -> str:
    """Write an event as JSON."""
    return json.dumps(HEAD | {"Event": name} | more)


def receipt(**changes: Any) -> Receipt:  # noqa: ANN401 - the fields of a receipt
    """The receipt of the sheet's own vector, some of it changed."""
    values = {"msgid": 1864323726461255680, "errcode": 0, "status": "success", **changes}
    return Receipt(touser=USER, template_id=TEMPLATE, at=AT, **values)


def given_(template_id: str = TEMPLATE) -> ConsentGiven:
    """Somebody said yes."""
    return ConsentGiven(touser=USER, template_id=template_id, at=AT)


def withdrawn(template_id: str = TEMPLATE) -> ConsentWithdrawn:
    """Somebody said no."""
    return ConsentWithdrawn(touser=USER, template_id=template_id, at=AT)


JSON_SHAPES: list[tuple[str, str, tuple[Told, ...]]] = [
    (
        "popup, object",
        event(
            "subscribe_msg_popup_event",
            List={"TemplateId": TEMPLATE, "SubscribeStatusString": "accept", "PopupScene": "0"},
        ),
        (given_(),),
    ),
    (
        "popup, array",
        event(
            "subscribe_msg_popup_event",
            List=[
                {"TemplateId": "T1", "SubscribeStatusString": "accept", "PopupScene": "0"},
                {"TemplateId": "T2", "SubscribeStatusString": "reject", "PopupScene": 2},
            ],
        ),
        (given_("T1"), withdrawn("T2")),
    ),
    (
        "change, object",
        event("subscribe_msg_change_event", List={"TemplateId": TEMPLATE, "SubscribeStatusString": "reject"}),
        (withdrawn(),),
    ),
    (
        "change, array",
        event("subscribe_msg_change_event", List=[{"TemplateId": "T1", "SubscribeStatusString": "reject"}] * 2),
        (withdrawn("T1"),) * 2,
    ),
    ("sent, strings", EVENT.decode(), (receipt(),)),
    (
        "sent, numbers and a time in a string",
        event(
            "subscribe_msg_sent_event",
            CreateTime="1620963428",
            List={"TemplateId": TEMPLATE, "MsgID": 1864323726461255680, "ErrorCode": 0, "ErrorStatus": "success"},
        ),
        (receipt(),),
    ),
    (
        "sent, wrapped",
        event(
            "subscribe_msg_sent_event",
            SubscribeMsgSentEvent={"List": [{"TemplateId": TEMPLATE, "MsgID": "7", "ErrorCode": "-1"}]},
        ),
        (receipt(msgid=7, errcode=-1, status=None),),
    ),
    (
        "sent, a wrapped array",
        event(
            "subscribe_msg_sent_event",
            SubscribeMsgSentEvent=[{"List": {"TemplateId": TEMPLATE, "MsgID": "7", "ErrorCode": "0"}}],
        ),
        (receipt(msgid=7, status=None),),
    ),
    (
        "sent, without a msgid and with words for a code",
        event(
            "subscribe_msg_sent_event",
            List={"TemplateId": TEMPLATE, "ErrorCode": "system failed", "ErrorStatus": "x" * 65},
        ),
        (receipt(msgid=None, errcode=None, status=None),),
    ),
    (
        "sent, a msgid no column holds",
        event("subscribe_msg_sent_event", List={"TemplateId": TEMPLATE, "MsgID": "9" * 19, "ErrorCode": 0}),
        (receipt(msgid=None, status=None),),
    ),
]

XML_HEAD = f"""<xml>
  <ToUserName><![CDATA[gh_123456789abc]]></ToUserName><FromUserName><![CDATA[{USER}]]></FromUserName>
  <CreateTime>1620963428</CreateTime><MsgType><![CDATA[event]]></MsgType>
  <Event><![CDATA[%s]]></Event>%s</xml>"""

XML_SHAPES: list[tuple[str, str, tuple[Told, ...]]] = [
    (
        "popup",
        XML_HEAD
        % (
            "subscribe_msg_popup_event",
            (
                "<SubscribeMsgPopupEvent>"
                "<List><TemplateId><![CDATA[T1]]></TemplateId><SubscribeStatusString><![CDATA[accept]]>"
                "</SubscribeStatusString><PopupScene>0</PopupScene></List>"
                "<List><TemplateId><![CDATA[T2]]></TemplateId><SubscribeStatusString><![CDATA[reject]]>"
                "</SubscribeStatusString><PopupScene>0</PopupScene></List>"
                "</SubscribeMsgPopupEvent>"
            ),
        ),
        (given_("T1"), withdrawn("T2")),
    ),
    (
        "change",
        XML_HEAD
        % (
            "subscribe_msg_change_event",
            (
                "<SubscribeMsgChangeEvent><List><TemplateId><![CDATA[T1]]></TemplateId><SubscribeStatusString>"
                "<![CDATA[reject]]></SubscribeStatusString></List></SubscribeMsgChangeEvent>"
            ),
        ),
        (withdrawn("T1"),),
    ),
    (
        "sent, not wrapped",
        XML_HEAD
        % (
            "subscribe_msg_sent_event",
            (
                "<List><TemplateId><![CDATA[TPL_A]]></TemplateId><MsgID>1864323726461255680</MsgID><ErrorCode>0"
                "</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus></List>"
            ),
        ),
        (receipt(),),
    ),
]
