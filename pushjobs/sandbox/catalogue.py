"""What a sandbox's apps find at WeChat from the start: categories, the public library, six templates and a legacy one.

A template is a title of the library with some of its keywords, in the caller's order; the key of a keyword is its value
type and its number (`thing1`). So the ready templates are picks from the same library that `addtemplate` picks from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = [
    "APPOINTMENT",
    "CATEGORIES",
    "CLASS_REMINDER",
    "DAILY_NEWS",
    "LEGACY_KEYWORDS",
    "LEGACY_LIBRARY",
    "LEGACY_REFUND",
    "LIBRARY",
    "LONG_TERM",
    "ONE_TIME",
    "ORDER_SHIPPED",
    "PAYMENT",
    "REFUND",
    "Keyword",
    "Template",
    "Title",
    "legacy_template",
    "legacy_templates",
    "ready_templates",
    "template_of",
    "template_with",
]

ONE_TIME = 2
LONG_TERM = 3

# 43 characters, the length of WeChat's own ids.
ORDER_SHIPPED = "order-shipped".ljust(43, "0")
APPOINTMENT = "appointment".ljust(43, "0")
REFUND = "refund".ljust(43, "0")
CLASS_REMINDER = "class-reminder".ljust(43, "0")
DAILY_NEWS = "daily-news".ljust(43, "0")
PAYMENT = "payment".ljust(43, "0")
LEGACY_REFUND = "legacy-refund".ljust(43, "0")

CATEGORIES = MappingProxyType({307: "电商平台", 402: "在线教育", 616: "资讯"})


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword of a title: `rule` is its value type; an enum takes only the `allowed` values."""

    number: int
    name: str
    example: str
    rule: str
    allowed: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key under which a send gives its value."""
        return f"{self.rule}{self.number}"


@dataclass(frozen=True, slots=True)
class Title:
    """A title of the public library: `kind` is 2 for one-time and 3 for long-term subscriptions."""

    number: int
    name: str
    kind: int
    category: int
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One app's template. `keywords` maps each key to the values it allows, none meaning any of its type."""

    id: str
    title: str
    kind: int
    content: str
    example: str
    keywords: MappingProxyType[str, tuple[str, ...]]

    def as_json(self) -> dict[str, Any]:
        """Return the template as `gettemplate` lists it."""
        enums = [
            {"keywordCode": key, "enumValueList": list(allowed)} for key, allowed in self.keywords.items() if allowed
        ]
        return {
            "priTmplId": self.id,
            "title": self.title,
            "content": self.content,
            "example": self.example,
            "type": self.kind,
            **({"keywordEnumValueList": enums} if enums else {}),
        }


def template_of(title: Title, numbers: Iterable[int], template_id: str) -> Template:
    """Pick keywords of a title, in this order; KeyError for a number the title does not have."""
    by_number = {keyword.number: keyword for keyword in title.keywords}
    picked = [by_number[number] for number in numbers]
    return Template(
        id=template_id,
        title=title.name,
        kind=title.kind,
        content="".join(f"{each.name}:{{{{{each.key}.DATA}}}}\n" for each in picked),
        example="".join(f"{each.name}:{each.example}\n" for each in picked),
        keywords=MappingProxyType({each.key: each.allowed for each in picked}),
    )


_TITLES = (
    Title(
        1856,
        "订单发货通知",
        ONE_TIME,
        307,
        (
            Keyword(1, "商品名称", "高山乌龙茶 250 克", "thing"),
            Keyword(2, "订单编号", "OD20261123000128", "character_string"),
            Keyword(3, "快递公司", "顺丰速运", "thing"),
            Keyword(4, "快递单号", "SF1420738211042", "character_string"),
            Keyword(5, "发货时间", "2026年11月23日 15:01", "time"),
        ),
    ),
    Title(
        2154,
        "预约成功提醒",
        ONE_TIME,
        307,
        (
            Keyword(1, "预约项目", "洗牙", "thing"),
            Keyword(2, "预约时间", "2026年12月1日 09:30", "date"),
            Keyword(3, "门店地址", "人民路 18 号", "thing"),
            Keyword(4, "预约人", "王小明", "name"),
            Keyword(5, "联系电话", "021-55667788", "phone_number"),
            Keyword(6, "车牌号", "粤A12345", "car_number"),
        ),
    ),
    Title(
        1451,
        "退款结果通知",
        ONE_TIME,
        307,
        (
            Keyword(1, "订单编号", "OD20261123000128", "character_string"),
            Keyword(2, "退款金额", "¥128.00", "amount"),
            Keyword(3, "退款状态", "退款成功", "phrase"),
            Keyword(4, "退款原因", "商品缺货", "thing"),
            Keyword(5, "订单内容", "高山乌龙茶 250 克", "thing"),
            Keyword(6, "订单金额", "一百二十八元", "thing"),
            Keyword(7, "申请时间", "2026-11-23 08:15", "date"),
        ),
    ),
    Title(
        3207,
        "上课提醒",
        LONG_TERM,
        402,
        (
            Keyword(1, "课程名称", "英语口语入门", "thing"),
            Keyword(2, "上课时间", "2026年12月1日 19:00", "time"),
            Keyword(3, "上课方式", "线上", "enum", ("线上", "线下")),
            Keyword(4, "剩余课时", "12", "number"),
        ),
    ),
    Title(
        4418,
        "每日资讯推送",
        LONG_TERM,
        616,
        (
            Keyword(1, "标题", "今日要闻", "thing"),
            Keyword(2, "摘要", "三分钟读完今天的大事", "thing"),
            Keyword(3, "日期", "2026年11月23日", "date"),
        ),
    ),
    Title(
        1990,
        "付款成功通知",
        ONE_TIME,
        307,
        (
            Keyword(1, "付款金额", "¥35.50", "amount"),
            Keyword(2, "商户名称", "街角咖啡", "thing"),
            Keyword(3, "付款时间", "2026-11-23 08:15", "date"),
            Keyword(4, "取餐码", "A", "letter"),
            Keyword(5, "评级", "★★★★★", "symbol"),
        ),
    ),
)

LIBRARY = MappingProxyType({title.number: title for title in _TITLES})

_READY = (
    (ORDER_SHIPPED, 1856, (1, 2, 3, 5)),
    (APPOINTMENT, 2154, (1, 2, 3, 4)),
    (REFUND, 1451, (1, 2, 3, 4)),
    (CLASS_REMINDER, 3207, (1, 2, 3)),
    (DAILY_NEWS, 4418, (1, 2, 3)),
    (PAYMENT, 1990, (1, 2, 3)),
)

# Legacy titles all offer the same keywords here; more than one page of titles, and one keyword more than may be picked.
LEGACY_KEYWORDS = MappingProxyType(
    {
        1: ("订单编号", "OD20191123000128"),
        2: ("订单金额", "128.00 元"),
        3: ("退款结果", "已退回原账户"),
        4: ("申请时间", "2019-11-23 08:15"),
        5: ("备注", "如有疑问请联系客服"),
        6: ("商品名称", "高山乌龙茶 250 克"),
        7: ("店铺名称", "街角茶行"),
        8: ("联系电话", "021-55667788"),
        9: ("支付时间", "2019-11-22 20:01"),
        10: ("订单状态", "已取消"),
        11: ("取消原因", "商品缺货"),
    }
)
_LEGACY_TITLES = (
    *("购买成功通知", "购买失败通知", "订单支付成功通知", "订单取消通知", "订单发货提醒", "订单配送通知"),
    *("订单评价提醒", "退款通知", "退货审核通知", "预约成功通知", "预约取消通知", "排队到号通知"),
    *("会员到期提醒", "积分变更提醒", "签到提醒", "活动开始提醒", "拼团成功通知", "拼团失败通知"),
    *("课程开始提醒", "作业提醒", "审核结果通知", "服务评价提醒", "账单提醒"),
)
LEGACY_LIBRARY = MappingProxyType({f"AT{number:04d}": name for number, name in enumerate(_LEGACY_TITLES, start=2)})


def ready_templates() -> dict[str, Template]:
    """Return the templates every app has from the start, by id."""
    return {own: template_of(LIBRARY[title], numbers, own) for own, title, numbers in _READY}


def template_with(keywords: Mapping[str, Sequence[str]], template_id: str, *, title: str, kind: int) -> Template:
    """Make a template of these keys, each with the texts it allows; it is of no title of the library."""
    return Template(
        id=template_id,
        title=title,
        kind=kind,
        content="".join(f"{key}:{{{{{key}.DATA}}}}\n" for key in keywords),
        example="".join(f"{key}:\n" for key in keywords),
        keywords=MappingProxyType({key: tuple(allowed) for key, allowed in keywords.items()}),
    )


def legacy_template(title: str, numbers: Iterable[int], template_id: str) -> Template:
    """Pick legacy keywords, in this order: they become keyword1, keyword2 and so on."""
    picked = {f"keyword{place}": LEGACY_KEYWORDS[number] for place, number in enumerate(numbers, start=1)}
    return Template(
        id=template_id,
        title=title,
        kind=ONE_TIME,
        content="".join(f"{name}{{{{{key}.DATA}}}}\n" for key, (name, _) in picked.items()),
        example="".join(f"{name}: {example}\n" for name, example in picked.values()),
        keywords=MappingProxyType(dict.fromkeys(picked, ())),
    )


def legacy_templates() -> dict[str, Template]:
    """Return the legacy templates every app has: a refund notice of `keyword1` to `keyword5`."""
    return {LEGACY_REFUND: legacy_template("退款通知", (1, 2, 3, 4, 5), LEGACY_REFUND)}
