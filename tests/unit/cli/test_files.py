"""Files of jobs: what is a file's fault is refused as a whole, what is a row's fault is that row's."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pushjobs import clock
from pushjobs.errors import InvalidFile, InvalidInput
from pushjobs.files import COLUMNS, open_consents, open_jobs, read_request_file
from pushjobs.request import JobArguments

HEADER = "touser,template_id,data"
GOOD = 'oUser,TPL,"{""thing1"":""订单已发货""}"'


def write(directory: Path, content: str | bytes) -> Path:
    path = directory / "jobs.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    with open_jobs(path) as rows:
        return [dict(row) for row in rows]


def test_a_row_becomes_the_arguments_of_send(tmp_path: Path) -> None:
    """Each cell is an argument of its column's name, `data` is read as JSON, and empty cells are left out."""
    path = write(tmp_path, f"page,{HEADER},reference\npages/a,{GOOD},\n")
    assert rows_of(path) == [
        {"page": "pages/a", "touser": "oUser", "template_id": "TPL", "data": {"thing1": "订单已发货"}}
    ]


def test_each_keyword_may_have_a_column(tmp_path: Path) -> None:
    """In place of JSON in `data`, `data.thing1` holds a keyword's text; an empty one is left out."""
    path = write(tmp_path, "touser,data.thing1,template_id,data.date3\noUser,订单已发货,TPL,\n")
    assert rows_of(path) == [{"touser": "oUser", "template_id": "TPL", "data": {"thing1": "订单已发货"}}]


def test_excel_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark in front, carriage returns and blank lines behind change nothing."""
    path = write(tmp_path, f"\ufeff{HEADER}\r\n{GOOD}\r\n\r\n{GOOD}\r\n\r\n")
    with open_jobs(path) as rows:
        assert rows.count == len(list(rows)) == len(list(rows)) == 2


def test_after_is_a_time_from_now(tmp_path: Path) -> None:
    """`after` becomes an aware `time`, the same distance from one moment in every row."""
    path = write(tmp_path, f"{HEADER},after\n{GOOD},20\n{GOOD},0.5\n")
    first, second = rows_of(path)
    assert first["time"] - second["time"] == timedelta(seconds=19.5)
    assert timedelta(0) <= clock.now() + timedelta(seconds=20) - first["time"] < timedelta(seconds=10)
    assert "after" not in first


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        (HEADER, "has no row"),
        (f"{HEADER}\n\n", "has no row"),
        (f"{HEADER},colour\n{GOOD},red", "has a column 'colour'"),
        ("touser,template_id,data.\noUser,TPL,x", "has a column 'data.'"),
        ("touser,template_id,thing1\noUser,TPL,x", "has a column 'thing1': a keyword's is called data.thing1"),
        (f"{HEADER},data.thing1\n{GOOD},x", "has data beside data.thing1"),
        (f"{HEADER},page,page\n{GOOD},a,b", "has the column page twice"),
        ("touser,template_id\noUser,TPL", "has no column data"),
        ("touser;template_id;data\noUser;TPL;{}", "has a column 'touser;template_id;data'"),
        (f"{HEADER}\n{GOOD}\n".encode("gbk"), "is not UTF-8"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16"), "is not UTF-8"),
        (f'{HEADER}\n{GOOD}\noUser,TPL,"{{', "is no CSV from line 3 on"),
        (f'{HEADER}\noUser,TPL,{{"thing1":"a","thing2":"b"}}\n{GOOD}', "is no CSV from line 2 on"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_as_a_whole(tmp_path: Path, content: str | bytes, fault: str) -> None:
    """Encoding, header, quotes and emptiness are found out before the first row is handed out, and named."""
    with pytest.raises(InvalidFile, match=f"^jobs.csv {fault}") as refused, open_jobs(write(tmp_path, content)):
        pass
    assert "订单" not in str(refused.value)


def test_the_end_of_a_large_file_is_looked_at_too(tmp_path: Path) -> None:
    """One bad byte behind thousands of good rows refuses the file before any of them is handed out."""
    content = f"{HEADER}\n{f'{GOOD}{chr(10)}' * 5000}".encode() + b"\xff\xff\xff,TPL,{}\n"
    with pytest.raises(InvalidFile, match="is not UTF-8"), open_jobs(write(tmp_path, content)):
        pass


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a directory, is named with the path that was looked at."""
    with pytest.raises(InvalidFile, match=r"cannot be read .*looked for"), open_jobs(tmp_path / name):
        pass
    with pytest.raises(InvalidFile, match=r"cannot be read .*looked for"):
        read_request_file(tmp_path / name / "request.json")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ('oUser,TPL,{"thing1":1,x:2},,', "row"),
        ("oUser,TPL", "row"),
        ("oUser,TPL,keyword,,", "data"),
        ("oUser,TPL,{},,soon", "after"),
        ("oUser,TPL,{},,-1", "after"),
        ("oUser,TPL,{},,nan", "after"),
        ("oUser,TPL,{},,1e300", "after"),
        ("oUser,TPL,{},2026-12-01 08:00:00,5", "after"),
    ],
)
def test_a_bad_row_is_refused_when_it_is_looked_at(tmp_path: Path, row: str, field: str) -> None:
    """A row that cannot be read is handed out like the others, and says what is wrong with it at every look."""
    path = write(tmp_path, f"{HEADER},time,after\n{row}\n{GOOD},,\n")
    with open_jobs(path) as rows:
        bad, good = rows
    for _ in range(2):
        with pytest.raises(InvalidInput) as refused:
            dict(bad)
        assert refused.value.field == field
    assert good["touser"] == "oUser"


def test_a_request_is_weixin_s_body_with_our_fields(tmp_path: Path) -> None:
    """A file of one JSON object is read as it stands."""
    path = write(tmp_path, '\ufeff{"touser": "oUser", "time": "2026-12-01 08:00:00"}')
    assert read_request_file(path) == {"touser": "oUser", "time": "2026-12-01 08:00:00"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is no JSON"),
        ('{"touser": ', "is no JSON"),
        ("[1, 2]", r"is no JSON object \(list\)"),
        ("\u8ba2".encode("gbk"), "is no JSON"),
        ('{"data": "' + "x" * 10_000_000 + '"}', "has 10,000,012 bytes"),
    ],
)
def test_a_request_of_the_wrong_shape_is_refused(tmp_path: Path, content: str | bytes, fault: str) -> None:
    """What is no JSON object, or is larger than any request, is refused with the file's name."""
    with pytest.raises(InvalidFile, match=f"^jobs.csv {fault}"):
        read_request_file(write(tmp_path, content))


def test_columns_are_the_arguments_of_send() -> None:
    """A CSV can say whatever `send` takes, but for what only a program can give."""
    assert set(COLUMNS) - {"after"} == JobArguments.__annotations__.keys() - {"content"}


def test_a_file_of_consents_becomes_the_arguments_of_grant(tmp_path: Path) -> None:
    """Credits become a number, standing true or false, and empty cells are left out; other columns are refused."""
    path = write(tmp_path, "template_id,touser,credits,standing\nTPL,oUser,3,\nTPL,oUser,,TRUE\n")
    with open_consents(path) as rows:
        assert [dict(row) for row in rows] == [
            {"template_id": "TPL", "touser": "oUser", "credits": 3},
            {"template_id": "TPL", "touser": "oUser", "standing": True},
        ]
    path = write(tmp_path, "template_id,touser,data\nTPL,oUser,{}\n")
    with pytest.raises(InvalidFile, match="has a column 'data': there are touser, template_id"), open_consents(path):
        pass
