"""What is no send at the drop-in door: templates, logins, and what else is passed on to WeChat."""

import json

import httpx
import pytest

from pushjobs.clients import NewKey
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, paths
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from tests.conftest import SECRET
from tests.integration.drop_in import LATER, SEND, Post, said, token_of
from tests.integration.serving import doors


def test_templates_are_managed_through_us(post: Post, door: httpx.Client, worker: Runtime, shop: NewKey) -> None:
    """Template calls of today are passed on; what is added can be sent at once, what is deleted is refused."""
    worker.catalogue.sync()
    query = {"access_token": token_of(door, shop)}
    listed = said(door.get(paths.TEMPLATES, params=query))["data"]
    assert DAILY_NEWS in {each["priTmplId"] for each in listed}
    keywords = said(door.get(paths.KEYWORDS, params=query | {"tid": "1451"}))
    assert keywords["count"] == len(keywords["data"]) > 0
    assert said(door.get(paths.CATEGORY, params=query))["data"]
    assert said(door.get(paths.TITLES, params=query | {"ids": "307", "start": "0", "limit": "5"}))["errcode"] == 0
    added = post(paths.ADD_TEMPLATE, {"tid": "1451", "kidList": [5, 6], "sceneDesc": "退款"})
    assert added["errcode"] == 0
    data = {"thing5": {"value": "编号"}, "thing6": {"value": "金额"}}
    body = {"touser": "oReader", "template_id": added["priTmplId"], "data": data, "time": LATER}
    assert post(SEND, body)["errcode"] == 0
    assert post(paths.DELETE_TEMPLATE, {"priTmplId": added["priTmplId"]})["errcode"] == 0
    assert post(SEND, body)["errcode"] == 40037
    bad = post(paths.ADD_TEMPLATE, {"tid": "0", "kidList": []})
    assert (bad["errcode"], "rid" in bad["errmsg"]) == (200014, True)  # WeChat's own answer, with its number


@pytest.mark.parametrize("root", ["/cgi-bin/wxopen/template", "/cgi-bin/message/wxopen/template"])
def test_legacy_templates_are_managed_through_us(post: Post, root: str) -> None:
    """So are those of before 2020, at WeChat's paths and at those of the article, which WeChat does not have."""
    titles = post(f"{root}/library/list", {"offset": 0, "count": 5})["list"]
    keywords = post(f"{root}/library/get", {"id": titles[0]["id"]})["keyword_list"]
    made = {"id": titles[0]["id"], "keyword_id_list": [each["keyword_id"] for each in keywords[:2]]}
    added = post(f"{root}/add", made)["template_id"]
    assert added in {each["template_id"] for each in post(f"{root}/list", {"offset": 0, "count": 20})["list"]}
    assert post(f"{root}/del", {"template_id": added})["errcode"] == 0
    assert added not in {each["template_id"] for each in post(f"{root}/list", {"offset": 0, "count": 20})["list"]}


def test_passes_on_what_is_listed(sandbox: SandboxClient, settings: Settings, runtime: Runtime) -> None:
    """A path of PUSHJOBS_PASS_THROUGH reaches WeChat with the app's token; any other is not granted."""
    sandbox.visit("oReader")
    listed = (paths.CONTENT_CHECK, "/datacube/no-such-call")
    with doors(settings.model_copy(update={"pass_through": listed})) as door:
        query = {"access_token": token_of(door, runtime.clients.add("shop"))}
        check = {"content": "好", "version": 2, "scene": 1, "openid": "oReader"}
        assert said(door.post(paths.CONTENT_CHECK, params=query, json=check))["errcode"] == 0
        assert said(door.post("/datacube/no-such-call", params=query, json={}))["errcode"] == 40066  # WeChat's own word
        for path in (paths.QUOTA, "/wxa/getwxacode", "/cgi-bin/no/such/call"):
            assert said(door.post(path, params=query, json={}))["errcode"] == 48001
    assert all(SECRET not in json.dumps(each.body) for each in sandbox.log())


def test_users_log_in_through_us(door: httpx.Client, shop: NewKey, sandbox: SandboxClient) -> None:
    """The login call takes a client's id and key in place of appid and secret, and answers what WeChat does."""
    sandbox.add_login_code("code-1", "oReader")
    query = {"appid": shop.client.id, "secret": shop.key, "js_code": "code-1", "grant_type": "authorization_code"}
    answer = said(door.get(paths.LOGIN, params=query))
    assert (answer["openid"], bool(answer["session_key"])) == ("oReader", True)
    assert said(door.get(paths.LOGIN, params=query))["errcode"] == 40029
    assert said(door.get(paths.LOGIN, params=query | {"secret": "wrong"}))["errcode"] == 40125
