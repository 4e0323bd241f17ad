"""Audiences that were uploaded: sealed, in force all at once, read by runs, replaced, deleted, forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from threading import Thread

import pytest

from pushjobs.campaigns.audience_files import FileKind, read_stream
from pushjobs.campaigns.audiences import read_audience
from pushjobs.campaigns.parts import opened
from pushjobs.campaigns.recipients import Reading, Recipient, Row
from pushjobs.campaigns.stored import StoredAudiences, Uploaded
from pushjobs.errors import AudienceUnread, InvalidInput, NotFound, NotPossible
from pushjobs.keys import Keys, Resealed
from pushjobs.runtime import Runtime
from pushjobs.store import audiences
from pushjobs.store.sealing import Sealer
from tests.acceptance.installation import wait_for
from tests.integration.campaigns.hands import begin, expansion, only_run, open_runs, readers
from tests.integration.hands import ask

PERSONAL = {"data": {"thing1": "{nickname}", "thing2": "今日要闻", "date3": "2026年12月1日"}}

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def kept(runtime: Runtime) -> StoredAudiences:
    """The audiences of the one app there is."""
    return runtime.app().audiences


def put(kept: StoredAudiences, body: str, name: str = "readers", kind: FileKind = FileKind.CSV) -> Uploaded:
    """Upload a body."""
    return kept.put(name, read_stream("body", kind, BytesIO(body.encode()).read))


def csv_of(*tousers: str) -> str:
    """A CSV of open ids."""
    return "\n".join(("touser", *tousers)) + "\n"


def tousers(kept: StoredAudiences, name: str = "readers") -> list[str]:
    """Whom an audience holds, as a run reads it."""
    return [
        row.touser for row in read_audience({"stored": name}, stored=kept.open).rows() if isinstance(row, Recipient)
    ]


def test_what_is_uploaded_is_read_as_it_was(kept: StoredAudiences, runtime: Runtime) -> None:
    """Open ids and columns come back in their order; none of them is readable in the database."""
    made = put(kept, 'touser,nickname\noReader1,小明\noReader2,"a, b"\n')
    assert (made.audience.recipients, made.audience.rejected, made.faults) == (2, 0, [])
    with kept.open("readers") as reading:
        assert list(reading.rows) == [
            Recipient(1, "oReader1", {"nickname": "小明"}),
            Recipient(2, "oReader2", {"nickname": "a, b"}),
        ]
    put(kept, '{"touser": "oReader3", "points": 7}\n"oReader4"\n', kind=FileKind.JSON_LINES)
    with kept.open("readers") as reading:
        assert [row.columns for row in reading.rows if isinstance(row, Recipient)] == [{"points": "7"}, {}]
    [dump] = ask(runtime, "SELECT string_agg(m::text, '') FROM pushjobs.audience_members m")
    assert "oReader" not in dump[0]
    assert b"oReader".hex() not in dump[0]
    assert [each.name for each in kept.list()] == ["readers"]


def test_bad_rows_are_told_and_hinder_no_other(kept: StoredAudiences) -> None:
    """The rejected are counted, the first hundred told by their numbers; the others are kept."""
    made = put(kept, csv_of("oReader1", *["o r"] * 150, "oReader2"))
    assert (made.audience.recipients, made.audience.rejected, len(made.faults)) == (2, 150, 100)
    assert made.faults[0].number == 2
    assert made.faults[0].refusal.field == "touser"
    assert tousers(kept) == ["oReader1", "oReader2"]


def test_what_cannot_be_an_audience_leaves_the_old_one(kept: StoredAudiences) -> None:
    """Nobody in it, or no CSV to its end: refused, and what was in force is so still."""
    put(kept, csv_of("oReader1"))
    for body in ("touser\n", csv_of("o r"), 'touser\noReader2\n"never closed\n\n\n', "name\nx\n", ""):
        with pytest.raises((InvalidInput, AudienceUnread)):
            put(kept, body)
    assert tousers(kept) == ["oReader1"]
    assert [each.recipients for each in kept.list()] == [1]


def test_an_upload_is_in_force_at_its_end(kept: StoredAudiences) -> None:
    """Until its last row the old one is read; who has begun to read goes on with what he began."""
    put(kept, csv_of(*readers(6000)))
    with kept.open("readers") as old:
        assert len(list(islice(old.rows, 10))) == 10

        def slowly() -> Iterator[Row]:
            for number, touser in enumerate(("oFresh1", "oFresh2"), start=1):
                assert len(tousers(kept)) == 6000
                yield Recipient(number, touser, {})

        kept.put("readers", Reading(None, slowly()))
        assert tousers(kept) == ["oFresh1", "oFresh2"]
        assert len(list(old.rows)) == 5990


def test_of_two_uploads_at_once_the_later_to_end_is_in_force(kept: StoredAudiences) -> None:
    """Both are taken whole, and one of them stands."""
    bodies = [csv_of(*readers(3000)), csv_of(*(f"oOther{number}" for number in range(3000)))]
    threads = [Thread(target=put, args=(kept, body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = tousers(kept)
    assert len(found) == 3000
    assert len({each[:6] for each in found}) == 1
    assert len(kept.list()) == 1


def test_what_is_over_is_pruned(kept: StoredAudiences, runtime: Runtime) -> None:
    """An hour after it was replaced an upload is gone, and so is one that died; what is in force stays."""
    put(kept, csv_of(*readers(30)))
    put(kept, csv_of("oReader1"))
    with runtime.database.transaction() as connection:
        app_no = runtime.catalogue.app.app_no
        died = audiences.begin(connection, app_no, "readers")
        assert audiences.add(connection, died, app_no, [(b"r" * 16, b"sealed")])
    runtime.upkeep.prune()
    assert ask(runtime, "SELECT count(*) FROM pushjobs.audience_members") == [(32,)]
    ask(
        runtime,
        "UPDATE pushjobs.audiences SET replaced_at = replaced_at - interval '61 minutes',"
        " touched_at = touched_at - interval '61 minutes'",
    )
    runtime.upkeep.prune()
    assert ask(runtime, "SELECT count(*) FROM pushjobs.audiences") == [(1,)]
    assert ask(runtime, "SELECT count(*) FROM pushjobs.audience_members") == [(1,)]
    assert tousers(kept) == ["oReader1"]


def test_what_is_about_to_be_pruned_is_not_read_on(kept: StoredAudiences, runtime: Runtime) -> None:
    """Who still reads an upload that was replaced long ago is told so, and is never given a part for the whole."""
    put(kept, csv_of(*readers(6000)))
    with kept.open("readers") as old:
        assert len(list(islice(old.rows, 10))) == 10
        put(kept, csv_of("oReader1"))
        ask(runtime, "UPDATE pushjobs.audiences SET replaced_at = replaced_at - interval '51 minutes'")
        with pytest.raises(AudienceUnread):
            list(old.rows)


def test_an_upload_that_was_given_up_takes_no_more(kept: StoredAudiences, runtime: Runtime) -> None:
    """Where its rows may be pruned already, the rest is refused rather than made an audience."""

    def rows() -> Iterator[Row]:
        yield Recipient(1, "oReader1", {})
        ask(runtime, "UPDATE pushjobs.audiences SET replaced_at = now()")

    with pytest.raises(NotPossible):
        kept.put("readers", Reading(None, rows()))
    assert kept.list() == []


def test_a_campaign_goes_to_what_was_uploaded(kept: StoredAudiences, runtime: Runtime, tmp_path: Path) -> None:
    """Named in code or on the command line too; each run reads what is in force when it begins."""
    with pytest.raises(InvalidInput) as refused:
        begin(runtime, tmp_path, [], audience={"stored": "readers"})
    assert refused.value.field == "audience.stored"
    put(kept, "touser,nickname\noReader1,小明\n")
    made = begin(runtime, tmp_path, [], audience={"stored": "readers"}, content=PERSONAL)
    assert made.audience == "readers (uploaded)"
    put(kept, "touser,nickname\noReader1,小明\noReader2,小红\noReader2,again\n")
    assert runtime.campaigns.rehearse("news").users == 2
    runtime.ticking.expand()
    run = only_run(runtime)
    assert (run.recipients, run.expanded, run.rejected) == (2, 2, 0)


def test_an_audience_with_a_campaign_is_not_deleted(kept: StoredAudiences, runtime: Runtime, tmp_path: Path) -> None:
    """It is refused until no campaign in force goes to it; then a run that names it finds none."""
    put(kept, csv_of("oReader1"))
    begin(runtime, tmp_path, [], audience={"stored": "readers"})
    with pytest.raises(NotPossible):
        kept.delete("readers")
    runtime.campaigns.delete("news")
    kept.delete("readers")
    with pytest.raises(NotFound):
        kept.delete("readers")
    with pytest.raises(NotFound):
        kept.get("readers")
    with pytest.raises(AudienceUnread):
        tousers(kept)


def test_a_forgotten_user_is_in_no_audience(kept: StoredAudiences, runtime: Runtime) -> None:
    """Neither in what is in force nor in what was replaced."""
    put(kept, csv_of("oReader1", "oReader2"))
    put(kept, csv_of("oReader2", "oReader1", "oReader3"))
    runtime.forgetting.forget(["oReader1"])
    assert tousers(kept) == ["oReader2", "oReader3"]
    assert ask(runtime, "SELECT count(*) FROM pushjobs.audience_members") == [(3,)]


def test_a_user_forgotten_while_a_run_reads_is_sent_nothing(
    kept: StoredAudiences, runtime: Runtime, tmp_path: Path
) -> None:
    """A run that has read of the user before it was asked for is waited for, and the user taken out of what it read."""
    put(kept, csv_of(*readers(20)))
    begin(runtime, tmp_path, [], audience={"stored": "readers"})
    [run] = open_runs(runtime)
    parts = runtime.app().campaign_parts
    found = opened(runtime.sealer, run.sealed, parts, key=run.key, template_id=run.template_id, zone=run.zone)
    forgetting = Thread(target=runtime.forgetting.forget, args=(readers(1),))

    @contextmanager
    def interrupted(name: str) -> Iterator[Reading]:
        with kept.open(name) as reading:
            rows = list(reading.rows)
        forgetting.start()
        wait_for("whoever forgets waits for the run", lambda: bool(ask(runtime, WAITING)))
        yield Reading(None, iter(rows))

    audience = read_audience({"stored": "readers"}, stored=interrupted)
    assert expansion(runtime, 100).read(run, replace(found, audience=audience))
    forgetting.join()
    assert only_run(runtime).recipients == 20
    assert expansion(runtime, 100).expand(run) == 19


def test_rows_are_sealed_anew(kept: StoredAudiences, runtime: Runtime) -> None:
    """A rotation of keys takes audiences along, and they are read with the new key alone."""
    put(kept, csv_of("oReader1", "oReader2"))
    rotated = Keys(runtime.database, Sealer([b"n" * 32, b"e" * 32])).reseal()
    assert rotated == Resealed(values=2, left=0, unreadable=0)
    with pytest.raises(AudienceUnread):
        tousers(kept)
