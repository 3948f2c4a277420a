from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import TerminalError
from pipelines.replay.sources import FileLayout, guess_format, open_source

if TYPE_CHECKING:
    from pipelines.replay.rows import Row

CSV = FileLayout(format="csv")


def read(path: Path, layout: FileLayout) -> list[Row]:
    source = open_source(path, layout)
    try:
        return list(source.rows)
    finally:
        source.close()


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_rows_by_the_names_of_the_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", '\ufeffid; name\r\n1;"a;b\nc"\r\n\r\n2;"say ""hi"""\r\n')
    rows = read(path, FileLayout(format="csv", delimiter=";"))
    assert [(row.number, row.columns) for row in rows] == [
        (1, {"id": "1", "name": "a;b\nc"}),
        (2, {"id": "2", "name": 'say "hi"'}),
    ]


def test_csv_without_quoting_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,name\n1,"a\n')
    (row,) = read(path, FileLayout(format="csv", quote=""))
    assert row.columns == {"id": "1", "name": '"a'}


def test_a_csv_row_of_another_width_is_a_fault_and_the_next_one_follows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,name\n1\n2,b,c\n3,d\n")
    rows = read(path, CSV)
    assert [row.fault.detail if row.fault else None for row in rows] == [
        "line 2 has 1 values - must have 2, as the header",
        "line 3 has 3 values - must have 2, as the header",
        None,
    ]
    assert [row.original for row in rows] == [["1"], ["2", "b", "c"], {"id": "3", "name": "d"}]


def test_a_csv_row_of_another_encoding_is_a_fault_and_the_next_one_follows(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.csv", b"id,name\n1,caf\xe9\n2,caf\xc3\xa9\n")
    rows = read(path, CSV)
    assert [row.fault is None for row in rows] == [False, True]
    assert rows[1].columns["name"] == "café"
    rows = read(path, FileLayout(format="csv", encoding="latin-1"))
    assert [row.columns["name"] for row in rows] == ["café", "cafÃ©"]


def test_a_csv_field_without_end_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,name\n1," + "x" * 200_000 + "\n2,b\n")
    rows = read(path, CSV)
    assert [row.fault is None for row in rows] == [False, True]
    assert [row.number for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("", "is empty"), ("id,id,name\n1,2,3\n", "names a column twice: id")],
)
def test_a_csv_file_without_a_usable_header_is_refused(
    tmp_path: Path, content: str, sentence: str
) -> None:
    with pytest.raises(TerminalError, match=sentence):
        open_source(write(tmp_path / "a.csv", content), CSV)


def test_json_lines_one_object_a_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b'{"a":1.50}\n\n[1]\n{"a":\n{"a":{"b":"x"}}')
    rows = read(path, FileLayout(format="jsonl"))
    assert [row.fault.reason if row.fault else None for row in rows] == [
        None,
        "bad_row",
        "bad_row",
        None,
    ]
    assert str(rows[0].columns["a"]) == "1.50"
    assert rows[1].original == "[1]"
    assert rows[2].fault is not None
    assert rows[2].fault.detail.startswith("line 4: not JSON")
    assert rows[3].columns == {"a": {"b": "x"}}


def test_parquet_rows_with_times_of_any_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    nanoseconds = pa.array([int(moment.timestamp()) * 10**9 + 123_456_789], pa.int64())
    table = pa.table(
        {
            "id": ["x"],
            "at": nanoseconds.cast(pa.timestamp("ns", "UTC")),
            "amount": pa.array([None], pa.float64()),
        }
    )
    pq.write_table(table, path)
    source = open_source(path, FileLayout(format="parquet"))
    assert source.columns == ("id", "at", "amount")
    (row,) = source.rows
    assert row.columns == {"id": "x", "at": moment.replace(microsecond=123_456), "amount": None}
    assert source.fraction_read() == 1.0
    source.close()


def test_what_is_not_parquet_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="is not a Parquet file"):
        open_source(write(tmp_path / "a.parquet", "id\n1\n"), FileLayout(format="parquet"))
    with pytest.raises(TerminalError, match="no such file"):
        open_source(tmp_path / "b.csv", CSV)


def test_without_pyarrow_the_line_to_install_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TerminalError, match=r"pip install 'fraudlake\[lakehouse\]'"):
        open_source(write(tmp_path / "a.parquet", ""), FileLayout(format="parquet"))


def test_progress_is_the_part_of_the_file_that_was_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id\n" + "1234567\n" * 20_000)
    source = open_source(path, CSV)
    seen: list[Any] = []
    for number, _ in enumerate(source.rows):
        if number % 5000 == 0:
            seen.append(source.fraction_read())
    seen.append(source.fraction_read())
    source.close()
    assert seen == sorted(seen)
    assert seen[0] < 0.1
    assert 0.4 < seen[2] < 0.6
    assert seen[-1] == 1.0


@pytest.mark.parametrize(
    ("name", "found"),
    [("a.CSV", "csv"), ("a.ndjson", "jsonl"), ("a.parquet", "parquet"), ("a.xlsx", None)],
)
def test_the_format_is_guessed_by_the_name(name: str, found: str | None) -> None:
    assert guess_format(Path(name)) == found
