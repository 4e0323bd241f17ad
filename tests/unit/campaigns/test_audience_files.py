"""Audiences in files: rows streamed, a row's fault in the row's place, a file's fault told as the file's."""

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from pushjobs.campaigns.audiences import Audience, Recipient, Unfit, read_audience
from pushjobs.errors import AudienceUnread, InvalidInput

FILLER = "x" * 1000


def write(directory: Path, name: str, content: str | bytes) -> Audience:
    path = directory / name
    written = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(written, mtime=0) if name.endswith(".gz") else written)
    return read_audience({"file": str(path)})


def faults(audience: Audience) -> list[str]:
    """Tell each row as people would hear of it: a recipient's open id, or what is wrong."""
    return [row.touser if isinstance(row, Recipient) else f"{row.number}: {row.refusal}" for row in audience.rows()]


@pytest.mark.parametrize("name", ["readers.csv", "readers.csv.gz", "readers.jsonl.csv"])
def test_a_csv_s_columns_are_named_by_its_header(tmp_path: Path, name: str) -> None:
    """Open ids stand in `touser`, wherever that is; all other columns come as they are, empty ones too."""
    audience = write(tmp_path, name, 'nickname,touser,city\n读者,oA,上海\n"a,""b""",oB,\n"two\nlines",oC,x\n')
    audience.check(["city", "nickname"])
    assert list(audience.rows()) == [
        Recipient(1, "oA", {"nickname": "读者", "city": "上海"}),
        Recipient(2, "oB", {"nickname": 'a,"b"', "city": ""}),
        Recipient(3, "oC", {"nickname": "two\nlines", "city": "x"}),
    ]


@pytest.mark.parametrize("name", ["readers.jsonl", "readers.ndjson", "readers.jsonl.gz", "readers.ndjson.gz"])
def test_json_lines_name_their_columns_themselves(tmp_path: Path, name: str) -> None:
    """Each line is an object with `touser`, or an open id alone; blank lines count for nothing."""
    content = '\ufeff{"touser":"oA","nickname":"读者","level":3}\r\n\n  \n{"touser":"oB"}\n"oC"'
    audience = write(tmp_path, name, content)
    audience.check(["level"])
    assert list(audience.rows()) == [
        Recipient(1, "oA", {"nickname": "读者", "level": "3"}),
        Recipient(2, "oB", {}),
        Recipient(3, "oC", {}),
    ]


def test_excel_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark in front, carriage returns, blank lines and a missing last line end change nothing."""
    assert faults(write(tmp_path, "readers.csv", "\ufefftouser\r\noA\r\n\r\noB")) == ["oA", "oB"]
    assert faults(write(tmp_path, "other.csv", '\ufeff"touser"\noA')) == ["oA"]
    assert faults(write(tmp_path, "alone.csv", "\ufefftouser")) == []


def test_a_bad_row_of_a_csv_is_handed_out_in_its_place(tmp_path: Path) -> None:
    """Cells, quotes, encoding, NULs, open ids: each is its own row's fault, and the rows behind it are read."""
    lines = [
        b"touser,nickname",
        b"oA,a",
        b"oB",
        b"oB,b,c",
        b'oB,"b"c',
        b"oB," + "订".encode("gbk"),
        b"o\xffB,b",
        b"oB,b\0",
        b"o B,b",
        b",b",
        b"oB," + b"b" * 200_000,
        b"oZ,z",
    ]
    found = faults(write(tmp_path, "readers.csv", b"\n".join(lines)))
    assert (found[0], found[-1]) == ("oA", "oZ")
    assert [fault.partition(":")[0] for fault in found[1:-1]] == [str(number) for number in range(2, 11)]
    assert [fault.split(": ")[1] for fault in found[1:-1]] == [
        "row has 1 cells",
        "row has 3 cells",
        "row is no CSV (line 5, ',' expected after '\"')",
        "nickname holds a NUL or bytes that are no UTF-8",
        "touser holds a blank or a character beyond ASCII",
        "nickname holds a NUL or bytes that are no UTF-8",
        "touser holds a blank or a character beyond ASCII",
        "touser is missing",
        "row is no CSV (line 11, field larger than field limit (131072))",
    ]
    assert not any("oB" in fault for fault in found)


def test_a_bad_line_of_json_is_handed_out_in_its_place(tmp_path: Path) -> None:
    """What is no JSON, no UTF-8, no object or no recipient is its own line's fault."""
    lines = [b'{"touser":"oA"}', b'{"touser":"oB"', b"", b'{"touser":"o\xff"}', b"[1]", b'{"nickname":"b"}', b'"oZ"']
    first, *found, last = faults(write(tmp_path, "readers.jsonl", b"\n".join(lines)))
    assert (first, last) == ("oA", "oZ")
    assert [fault.partition(" (")[0] for fault in found[:3]] == [
        "2: row is no JSON",
        "3: row is no JSON",
        "4: row is no object",
    ]
    assert found[1].startswith("3: row is no JSON (line 4, ")
    assert found[3].startswith("5: touser is missing")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n\n", "is empty"),
        ("a.csv.gz", "", "is empty"),
        ("a.csv", "touser\n\n", "has no row"),
        ("a.jsonl", "\n\n", "has no row"),
        ("a.csv", "oSecret\noSecret", "has no column touser"),
        ("a.csv", "touser;nickname\noSecret;b", "has no column touser"),
        ("a.csv", "touser,a,a\noSecret,b,c", "has two columns of one name"),
        ("a.csv", "touser,nickname\noSecret,b", "lacks city, level"),
        ("a.jsonl", '{"touser":"oSecret","nickname":"b"}', "lacks city, level"),
        ("a.csv", 'touser,"a"b\noSecret,b', "is no CSV"),
        ("a.csv", "touser,昵称\n".encode("gbk"), "is not UTF-8"),
        ("a.csv", "touser\noSecret\n".encode("utf-16"), "is not UTF-8"),
        ("a.csv", "touser\noSecret\n".encode("utf-16-le"), "is not UTF-8"),
        ("a.csv", 'touser\n"oSecret\noSecret\n', "is no CSV from line 2 on"),
        ("a.csv", "touser\no Secret\n", r"has nobody to be sent to in its first rows \(row 1: touser holds a blank"),
        ("a.jsonl", "touser\noSecret\n", r"has nobody to be sent to in its first rows \(row 1: row is no JSON"),
        ("a.jsonl", "[\n" * 1000, r"has nobody to be sent to in its first rows \(row 1: row is no JSON"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_at_creation(
    tmp_path: Path, name: str, content: str | bytes, fault: str
) -> None:
    """Empty, without open ids or a wanted column, in another encoding: told by fault and rule, and nothing repeated."""
    with pytest.raises(InvalidInput, match=f"^audience.file {fault}") as refused:
        write(tmp_path, name, content).check(["nickname", "level", "city"] if "lacks" in fault else [])
    assert "Secret" not in str(refused.value)


def test_what_cannot_be_opened_is_refused_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there is named whole; a directory and a pipe, which would wait for a writer, are no files."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=rf"cannot be read \(No such file.*looked for {tmp_path}/a.csv"):
        read_audience({"file": "a.csv"}).check(())
    (tmp_path / "directory.csv").mkdir()
    os.mkfifo("pipe.csv")
    for name in ("directory.csv", "pipe.csv"):
        with pytest.raises(InvalidInput, match="is no file"):
            read_audience({"file": name}).check(())


@pytest.mark.parametrize("content", [b"touser\noSecret\n", gzip.compress(b"touser\n" + b"oA\n" * 9, mtime=0)[:-9]])
def test_what_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file whose name promises gzip and whose bytes are none, or not all of them, is told to be damaged."""
    (tmp_path / "readers.csv.gz").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"^audience.file is damaged, or no gzip: write it anew$"):
        read_audience({"file": str(tmp_path / "readers.csv.gz")}).check(())


def test_a_gzip_that_is_damaged_further_on_stops_the_reader(tmp_path: Path) -> None:
    """A check of its beginning cannot see it: the rows before the damage are read, and then it is told."""
    rows = "".join(f"o{number},{os.urandom(40).hex()}\n" for number in range(20_000))
    content = bytearray(gzip.compress(f"touser,nickname\n{rows}".encode(), mtime=0))
    content[-100_000:-90_000] = bytes(10_000)
    (tmp_path / "readers.csv.gz").write_bytes(content)
    audience = read_audience({"file": str(tmp_path / "readers.csv.gz")})
    audience.check(())
    read = audience.rows()
    assert [next(read).number for _ in range(1000)][-1] == 1000
    with pytest.raises(AudienceUnread, match="is damaged, or no gzip"):
        list(read)


def test_a_quote_that_is_never_closed_stops_the_reader(tmp_path: Path) -> None:
    """It swallows the rows behind it: so they are not sent as if nothing had happened, and its line is named."""
    audience = write(tmp_path, "readers.csv", f'touser,a\noA,\noB,"{FILLER}\n' + f"oC,{FILLER}\n" * 1000)
    rows = audience.rows()
    assert next(rows).number == 1
    with pytest.raises(AudienceUnread, match="is no CSV from line 3 on"):
        next(rows)


def test_a_file_that_is_replaced_while_it_is_read_is_read_to_its_old_end(tmp_path: Path) -> None:
    """A new file renamed over it is for the next reading."""
    audience = write(tmp_path, "readers.csv", "touser\n" + f"{FILLER[:28]}\n" * 50_000)
    rows = audience.rows()
    next(rows)
    write(tmp_path, "new.csv", "touser\noNew\n")
    (tmp_path / "new.csv").rename(tmp_path / "readers.csv")
    assert sum(1 for _ in rows) == 49_999
    assert faults(audience) == ["oNew"]


def test_a_file_is_closed_when_its_reader_is(tmp_path: Path) -> None:
    """A reader that stops half-way leaves no file open."""
    audience = write(tmp_path, "readers.csv.gz", "touser\noA\noB\n")
    rows = audience.rows()
    next(rows)
    assert handles(tmp_path / "readers.csv.gz") == 1
    rows.close()
    assert handles(tmp_path / "readers.csv.gz") == 0


def handles(path: Path) -> int:
    """Count this process's open handles of a file."""
    opened = [each.resolve() for each in Path("/proc/self/fd").iterdir() if each.exists()]
    return opened.count(path.resolve())


@pytest.mark.parametrize("name", ["endless.csv", "endless.jsonl", "endless.csv.gz"])
def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path: Path, name: str) -> None:
    """A line of more than a mebibyte stops the reader where it stands, long before the line was read."""
    endless = write(tmp_path, name, b'touser,a\noA,"\n' + b"x" * (64 * 1024 * 1024))
    tracemalloc.start()
    with pytest.raises(AudienceUnread, match=r"has a line of more than 1,048,576 bytes \(line 3\)"):
        list(endless.rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(("longest", "is_read"), [(1024 * 1024, True), (1024 * 1024 + 1, False)])
def test_a_line_may_have_a_mebibyte_wherever_blocks_end(tmp_path: Path, longest: int, is_read: bool) -> None:
    """The cap is exact for a line that begins anywhere."""
    for before in (0, 1000, 256 * 1024 - 30):
        line = '{"touser":"oLong","a":"'
        line += "x" * (longest - len(line) - 2) + '"}'
        audience = write(tmp_path, "a.jsonl", f'"oA"{" " * before}\n{line}\n"oZ"\n')
        if is_read:
            assert faults(audience) == ["oA", "oLong", "oZ"]
        else:
            with pytest.raises(AudienceUnread, match=r"1,048,576 bytes \(line 2\)"):
                faults(audience)


@pytest.mark.parametrize("name", ["readers.csv", "readers.jsonl.gz"])
def test_a_large_file_is_never_in_memory(tmp_path: Path, name: str) -> None:
    """Twenty megabytes of rows pass through less than four; not one is lost where blocks meet."""
    count = 20_000
    line = '{{"touser":"o{0}","nickname":"读者{0}","city":"{1}"}}' if "jsonl" in name else "o{0},读者{0},{1}"
    body = "\n".join(line.format(number, FILLER) for number in range(1, count + 1))
    audience = write(tmp_path, name, body if "jsonl" in name else f"touser,nickname,city\n{body}")
    del body
    tracemalloc.start()
    last = 0
    for row in audience.rows():
        assert isinstance(row, Recipient)
        assert (row.number, row.touser, row.columns["nickname"]) == (last + 1, f"o{last + 1}", f"读者{last + 1}")
        last = row.number
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last == count
    assert peak < 4 * 1024 * 1024


def test_unfit_rows_say_nothing_of_their_contents(tmp_path: Path) -> None:
    """What is printed of rows of a file repeats no open id and no cell."""
    audience = write(tmp_path, "readers.csv", 'touser,a\noSecret,b\no Secret,b\noSecret\noSecret,"S"ecret\n')
    rows = list(audience.rows())
    assert [type(row) for row in rows] == [Recipient, Unfit, Unfit, Unfit]
    assert "ecret" not in repr(rows)
