"""The catalogue on a real database: what it trusts, what it refuses, and how rarely it asks WeChat."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from pushjobs import clock
from pushjobs.catalogue import Catalogue
from pushjobs.domain.template import Template, TemplateField
from pushjobs.errors import CallRefused, Misconfigured, UnknownTemplate, Unreachable
from pushjobs.runtime import Runtime
from pushjobs.store.database import Database

NEWS = Template(template_id="news", fields=(TemplateField(key="thing1"), TemplateField(key="phrase2", allowed=("早",))))
ORDER = Template(template_id="order", fields=(TemplateField(key="thing1"),))


class WeChat:
    """What WeChat would list, and how often it was asked."""

    def __init__(self) -> None:
        self.listed = [("每日新闻", NEWS)]
        self.asked = 0
        self.fault: Exception | None = None

    def fetch(self) -> Sequence[tuple[str, Template]]:
        """List the templates."""
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return self.listed


@pytest.fixture
def database(runtime: Runtime) -> Database:
    return runtime.database


@pytest.fixture
def wechat() -> WeChat:
    return WeChat()


@pytest.fixture
def catalogue(database: Database, wechat: WeChat) -> Catalogue:
    """A process' view of the app."""
    return open_catalogue(database, wechat)


def open_catalogue(database: Database, wechat: WeChat, *, fingerprint: str = "ours") -> Catalogue:
    """Another process' view of the app."""
    return Catalogue(database, "wxapp", lookup_fingerprint=fingerprint, fetch=wechat.fetch)


def let_ten_minutes_pass(database: Database) -> None:
    """Put the last reading ten minutes back."""
    with database.transaction() as connection:
        connection.execute(text("UPDATE pushjobs.apps SET templates_synced_at = now() - interval '601 s'"))


def drawn(database: Database) -> int:
    """Return the last number given to an app."""
    with database.transaction() as connection:
        return int(connection.execute(text("SELECT last_value FROM pushjobs.apps_app_no_seq")).scalar_one())


def test_a_catalogue_that_was_never_read_trusts_any_id(catalogue: Catalogue, wechat: WeChat) -> None:
    """Without a catalogue every id is taken, always under the same number, and WeChat is not asked."""
    first, other = catalogue.find("any"), catalogue.find("other")
    assert (first.template, other.template) == (None, None)
    assert catalogue.find("any") == first
    assert first.template_no != other.template_no
    assert catalogue.titles() == {}
    assert wechat.asked == 0


def test_two_processes_give_a_template_one_number(database: Database, wechat: WeChat) -> None:
    """Processes that first see a template at the same time agree on its number."""
    views = [open_catalogue(database, wechat) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda view: view.find("new").template_no, views))) == 1


def test_a_read_catalogue_knows_its_templates(catalogue: Catalogue, wechat: WeChat) -> None:
    """After a reading the listed templates are found with their keys and allowed values, and keep their numbers."""
    trusted = catalogue.find("news")
    assert catalogue.sync() == 1
    found = catalogue.find("news")
    assert (found.template_no, found.template) == (trusted.template_no, NEWS)
    assert {key: known.title for key, known in catalogue.titles().items()} == {"news": "每日新闻"}
    assert wechat.asked == 1


def test_an_unknown_id_is_refused_after_one_reading(catalogue: Catalogue, database: Database, wechat: WeChat) -> None:
    """An unknown id asks WeChat once and is refused; for ten minutes no unknown id asks again, in any process."""
    catalogue.sync()
    let_ten_minutes_pass(database)
    for view, template_id in [(catalogue, "who"), (catalogue, "who"), (catalogue, "what"), (None, "which")]:
        with pytest.raises(UnknownTemplate, match=r"^template_id is not in the app's catalogue"):
            (view or open_catalogue(database, wechat)).find(template_id)
        assert wechat.asked == 2
    let_ten_minutes_pass(database)
    with pytest.raises(UnknownTemplate):
        open_catalogue(database, wechat).find("who")
    assert wechat.asked == 3


def test_unknown_ids_are_remembered(catalogue: Catalogue, database: Database) -> None:
    """A bulk full of one unknown id looks for it once; a reading of the catalogue forgets that it was unknown."""
    catalogue.sync()
    began = clock.monotonic()
    for _ in range(5000):
        with pytest.raises(UnknownTemplate):
            catalogue.find("order")
    assert clock.monotonic() - began < 1.0
    with database.transaction() as connection:
        connection.execute(text("UPDATE pushjobs.templates SET template_id = 'order'"))
    with pytest.raises(UnknownTemplate):
        catalogue.find("order")
    assert list(catalogue.titles()) == ["order"]
    assert catalogue.find("order").template is not None


def test_a_reading_of_a_short_while_ago_will_do(catalogue: Catalogue, wechat: WeChat) -> None:
    """An unknown id right after a reading is refused without another one."""
    catalogue.sync()
    with pytest.raises(UnknownTemplate):
        catalogue.find("who")
    assert wechat.asked == 1


def test_many_unknown_ids_at_once_ask_once(database: Database, wechat: WeChat) -> None:
    """Eight processes that meet an unknown id together ask WeChat once between them."""
    views = [open_catalogue(database, wechat) for _ in range(8)]
    views[0].sync()
    let_ten_minutes_pass(database)

    def is_refused(view: Catalogue) -> bool:
        with pytest.raises(UnknownTemplate):
            view.find("who")
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(is_refused, views))
    assert wechat.asked == 2


def test_a_new_template_is_found_at_its_first_use(catalogue: Catalogue, database: Database, wechat: WeChat) -> None:
    """An id that WeChat lists since the last reading is found by the reading it triggers, here and elsewhere."""
    catalogue.sync()
    elsewhere = open_catalogue(database, wechat)
    assert elsewhere.find("news").template == NEWS
    wechat.listed.append(("订单", ORDER))
    let_ten_minutes_pass(database)
    assert catalogue.find("order").template == ORDER
    assert elsewhere.find("order").template == ORDER
    assert wechat.asked == 2


def test_a_template_that_is_gone_is_refused(catalogue: Catalogue, wechat: WeChat) -> None:
    """What WeChat lists no longer is refused from the next reading on; should it come back, it keeps its number."""
    catalogue.sync()
    before = catalogue.find("news")
    wechat.listed = [("订单", ORDER)]
    catalogue.sync()
    with pytest.raises(UnknownTemplate):
        catalogue.find("news")
    wechat.listed = [("每日新闻", NEWS)]
    catalogue.sync()
    assert catalogue.find("news") == before


def test_an_app_without_templates_is_read_all_the_same(catalogue: Catalogue, wechat: WeChat) -> None:
    """An empty list is a catalogue too: every id is refused."""
    wechat.listed = []
    assert catalogue.sync() == 0
    with pytest.raises(UnknownTemplate):
        catalogue.find("news")


@pytest.mark.parametrize("fault", [Unreachable("away"), CallRefused(40001, "bad token"), Misconfigured("no secret")])
def test_a_reading_that_fails_leaves_the_catalogue_as_it_was(
    catalogue: Catalogue, database: Database, wechat: WeChat, fault: Exception
) -> None:
    """If WeChat does not answer, an unknown id is refused as unknown, known ones stay, and ten minutes go by."""
    catalogue.sync()
    let_ten_minutes_pass(database)
    wechat.fault = fault
    for _ in range(2):
        with pytest.raises(UnknownTemplate):
            catalogue.find("who")
    assert wechat.asked == 2
    assert catalogue.find("news").template == NEWS
    with pytest.raises(type(fault)):
        catalogue.sync()


def test_a_legacy_template_is_taken_on_trust(catalogue: Catalogue) -> None:
    """A legacy id is taken even beside a read catalogue: WeChat lists them no longer."""
    catalogue.sync()
    legacy = catalogue.legacy("old")
    assert legacy.template is None
    assert catalogue.legacy("old") == legacy
    with pytest.raises(UnknownTemplate):
        catalogue.find("old")


def test_another_lookup_key_is_refused(catalogue: Catalogue, database: Database, wechat: WeChat) -> None:
    """A process whose lookup key is not the installation's refuses to go on, and says which variable."""
    assert catalogue.app.appid == "wxapp"
    with pytest.raises(Misconfigured, match=r"^PUSHJOBS_LOOKUP_KEY .*\(theirs\).*\(ours\)"):
        open_catalogue(database, wechat, fingerprint="theirs").find("news")


def test_reading_the_app_again_draws_no_numbers(database: Database, wechat: WeChat, catalogue: Catalogue) -> None:
    """However often processes look the app up, no number is used up: a smallint has only 32,767."""
    catalogue.find("news")
    before = drawn(database)
    for _ in range(5):
        open_catalogue(database, wechat).find("news")
        catalogue.titles()
    assert drawn(database) == before
