"""The catalogue on a real database: what it trusts, what it refuses, and how rarely it asks WeChat."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from pushjobs import clock
from pushjobs.catalogue import Catalogue, night_share
from pushjobs.domain.moment import last_night
from pushjobs.domain.template import Template, TemplateField, TemplateKind
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


def let_a_night_pass(database: Database) -> None:
    """Put the last reading a day and more back."""
    with database.transaction() as connection:
        connection.execute(text("UPDATE pushjobs.apps SET templates_synced_at = now() - interval '25 h'"))


def test_the_catalogue_is_read_anew_once_a_night(database: Database, wechat: WeChat) -> None:
    """However many processes are told that it is night, and however often, WeChat is asked once."""
    views = [open_catalogue(database, wechat) for _ in range(8)]
    views[0].sync()
    assert not views[0].refresh()
    let_a_night_pass(database)
    wechat.listed.append(("订单", ORDER))
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(Catalogue.refresh, views)) == 1
    assert wechat.asked == 2
    assert views[0].find("order").template == ORDER


def test_a_catalogue_that_was_never_read_is_not_read_by_night(catalogue: Catalogue, wechat: WeChat) -> None:
    """Whoever never read it has every id taken on trust; a night must not change that."""
    catalogue.find("any")
    assert not catalogue.refresh()
    assert wechat.asked == 0


def test_a_night_without_an_answer_waits_for_the_next(catalogue: Catalogue, database: Database, wechat: WeChat) -> None:
    """If WeChat does not answer, the catalogue stays as it was and WeChat is left alone for the rest of the day."""
    catalogue.sync()
    let_a_night_pass(database)
    wechat.fault = Unreachable("away")
    with pytest.raises(Unreachable):
        catalogue.refresh()
    assert not catalogue.refresh()
    assert catalogue.find("news").template == NEWS


def test_not_all_apps_are_read_at_one_hour() -> None:
    """The hours of a thousand apps lie all over three hours of the night, and an app's hour stays the same."""
    now = datetime(2026, 12, 1, 4, tzinfo=UTC)
    hours = [last_night(now, night_share(f"wx{number:016x}")) for number in range(1000)]
    begins = datetime(2026, 11, 30, 18, tzinfo=UTC)
    assert all(begins <= hour < begins + timedelta(hours=3) for hour in hours)
    tenths = Counter((hour - begins) // timedelta(minutes=18) for hour in hours)
    assert len(tenths) == 10
    assert min(tenths.values()) > 50
    assert hours[0] == last_night(now, night_share(f"wx{0:016x}"))


def test_a_deleted_template_is_forgotten(catalogue: Catalogue) -> None:
    """What was deleted at WeChat is refused at once, without another reading."""
    catalogue.sync()
    catalogue.forget("news")
    with pytest.raises(UnknownTemplate):
        catalogue.find("news")
    assert catalogue.titles() == {}


def test_kinds_and_names_are_kept(catalogue: Catalogue, database: Database, wechat: WeChat) -> None:
    """What WeChat says of a template, its kind and its keywords' names, is found again by another process."""
    named = Template(
        template_id="named", kind=TemplateKind.LONG_TERM, fields=(TemplateField(key="thing1", name="标题"),)
    )
    wechat.listed = [("每日新闻", named)]
    catalogue.sync()
    assert open_catalogue(database, wechat).find("named").template == named
