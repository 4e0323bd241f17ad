"""The template calls of both generations, from our client to the sandbox and back in our words."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from pushjobs.domain.template import TemplateField, TemplateKind
from pushjobs.errors import CallRefused
from pushjobs.sandbox import SandboxClient, SandboxProcess
from pushjobs.sandbox.catalogue import CLASS_REMINDER, LEGACY_REFUND
from pushjobs.wechat import legacy_templates, templates
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.client import Client
from pushjobs.wechat.templates import Added, Category
from pushjobs.wechat.tokens import TokenSource
from tests.conftest import APPID, SECRET


@pytest.fixture
def control(sandbox_process: SandboxProcess) -> SandboxClient:
    """The sandbox, as at its start."""
    sandbox_process.client.reset()
    return sandbox_process.client


@pytest.fixture
async def wechat(sandbox_process: SandboxProcess, redis: Redis) -> AsyncIterator[AuthorisedClient]:
    """Calls with the sandbox's first app's token."""
    client = Client(sandbox_process.base_url, call_timeout=10)
    yield AuthorisedClient(client, TokenSource(client, redis, appid=APPID, secret=SECRET))
    await client.aclose()


async def test_lists_templates_with_fields_kinds_and_values(wechat: AuthorisedClient, control: SandboxClient) -> None:
    """gettemplate: each keyword's key, its name and its enum values, and for how many messages a consent is."""
    assert control is not None
    title, reminder = next(
        each for each in await templates.list_templates(wechat) if each[1].template_id == CLASS_REMINDER
    )
    assert (title, reminder.kind) == ("上课提醒", TemplateKind.LONG_TERM)
    assert reminder.fields == (
        TemplateField(key="thing1", name="课程名称"),
        TemplateField(key="time2", name="上课时间"),
        TemplateField(key="enum3", name="上课方式", allowed=("线上", "线下")),
    )


async def test_adds_and_deletes(wechat: AuthorisedClient, control: SandboxClient) -> None:
    """addtemplate: the keywords stay in order, 200022 names the one there is; deltemplate: a second time is 20002."""
    assert control is not None
    added = await templates.add_template(wechat, tid="1856", kids=[2, 1], scene="发货")
    assert added.is_new
    again = await templates.add_template(wechat, tid="1856", kids=[2, 1], scene="发货")
    assert again == Added(template_id=added.template_id, is_new=False)
    listed = {each.template_id: each for _, each in await templates.list_templates(wechat)}
    assert [field.key for field in listed[added.template_id].fields] == ["character_string2", "thing1"]
    await templates.delete_template(wechat, added.template_id)
    with pytest.raises(CallRefused, match=r"^WeChat answered 20002: .* \(rid [0-9a-f-]{26}\)$"):
        await templates.delete_template(wechat, added.template_id)


async def test_browses_the_library(wechat: AuthorisedClient, control: SandboxClient) -> None:
    """getcategory, getpubtemplatetitles, getpubtemplatekeywords: from the app's categories to a title's keywords."""
    assert control is not None
    categories = await templates.list_categories(wechat)
    assert categories[0] == Category(category_id=307, name="电商平台")
    page = await templates.list_titles(wechat, [307, 402], start=1, limit=2)
    assert (page.count, [each.name for each in page.titles]) == (5, ["预约成功提醒", "退款结果通知"])
    assert {each.kind for each in page.titles} == {TemplateKind.ONE_TIME}
    first, *_ = await templates.list_keywords(wechat, page.titles[1].tid)
    assert (first.kid, first.name, first.rule) == (1, "订单编号", "character_string")


@pytest.mark.parametrize(
    "errcode", [20001, 200001, 200002, 200011, 200012, 200013, 200016, 200017, 200018, 200019, 200100, 40400, 43106]
)
async def test_a_refusal_has_its_meaning(wechat: AuthorisedClient, control: SandboxClient, errcode: int) -> None:
    """Every code of the template calls' table is an exception that says what it means, and nothing is called twice."""
    fault = control.order_fault("errcode", {"path": "/wxaapi/newtmpl/gettemplate"}, errcode=errcode)
    with pytest.raises(CallRefused) as caught:
        await templates.list_templates(wechat)
    assert caught.value.errcode == errcode
    assert caught.value.meaning != "a code no page lists"
    assert [rule["fired"] for rule in control.faults() if rule["id"] == fault] == [1]


@pytest.mark.parametrize(
    ("tid", "kids", "scene", "errcode"),
    [("0", [1, 2], "", 200014), ("1856", [1, 99], "", 200020), ("1856", [1, 2], "一" * 16, 200021)],
)
async def test_wechat_judges_what_is_added(
    wechat: AuthorisedClient, control: SandboxClient, tid: str, kids: list[int], scene: str, errcode: int
) -> None:
    """addtemplate: a wrong title, keyword list or scene is refused with its code."""
    assert control is not None
    with pytest.raises(CallRefused) as caught:
        await templates.add_template(wechat, tid=tid, kids=kids, scene=scene)
    assert caught.value.errcode == errcode


async def test_a_token_that_expired_is_renewed_once(wechat: AuthorisedClient, control: SandboxClient) -> None:
    """A call refused for its token is made once more with a new one; refused again, that is the answer."""
    await templates.list_templates(wechat)
    control.order_fault("expire_tokens", {"path": "/wxaapi/newtmpl/gettemplate"}, times=1)
    assert len(await templates.list_templates(wechat)) == 6
    fault = control.order_fault("errcode", {"path": "/wxaapi/newtmpl/gettemplate"}, errcode=40001)
    with pytest.raises(CallRefused, match="40001"):
        await templates.list_templates(wechat)
    assert [rule["fired"] for rule in control.faults() if rule["id"] == fault] == [2]


async def test_the_legacy_generation(wechat: AuthorisedClient, control: SandboxClient) -> None:
    """library/list, library/get, add, list, del: all pages of the library, and a template made from it."""
    assert control is not None
    titles = await legacy_templates.list_titles(wechat)
    assert (len(titles), titles[7].name) == (23, "退款通知")
    keywords = await legacy_templates.list_keywords(wechat, titles[7].title_id)
    assert (keywords[3].keyword_id, keywords[3].name) == (4, "申请时间")
    made = [await legacy_templates.add_template(wechat, titles[7].title_id, [4, 1]) for _ in range(20)]
    own = {each.template_id: each for each in await legacy_templates.list_templates(wechat)}
    assert own.keys() == {LEGACY_REFUND, *made}
    assert own[made[0]].content == "申请时间{{keyword1.DATA}}\n订单编号{{keyword2.DATA}}\n"
    await legacy_templates.delete_template(wechat, made[0])
    with pytest.raises(CallRefused, match="40037"):
        await legacy_templates.delete_template(wechat, made[0])


async def test_the_legacy_generation_is_withdrawn(wechat: AuthorisedClient, control: SandboxClient) -> None:
    """Today each legacy call is refused with 45103, which says so."""
    control.change_settings(behave="today")
    calls = [
        legacy_templates.list_titles(wechat),
        legacy_templates.list_keywords(wechat, "AT0002"),
        legacy_templates.add_template(wechat, "AT0002", [1]),
        legacy_templates.list_templates(wechat),
        legacy_templates.delete_template(wechat, LEGACY_REFUND),
    ]
    for call in calls:
        with pytest.raises(CallRefused, match="45103: the interface was withdrawn"):
            await call
