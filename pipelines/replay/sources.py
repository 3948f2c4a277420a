"""Reads rows from CSV, JSON lines and Parquet files, one at a time.

A row that cannot be read is yielded with its fault, and the next one follows; a file that cannot be
read is an error.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.contracts.faults import ContractFault
from pipelines.contracts.json_text import read_object
from pipelines.errors import TerminalError
from pipelines.replay.rows import BAD_ROW, Row, RowFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

Format = Literal["csv", "jsonl", "parquet"]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """How a file is written; delimiter, quote and encoding matter to CSV only."""

    format: Format
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An open file: its column names (None where each row has its own) and its rows."""

    columns: tuple[str, ...] | None
    rows: Iterator[Row]
    fraction_read: Callable[[], float]
    close: Callable[[], None]


def guess_format(path: Path) -> Format | None:
    """By the ending of the name; None when it says nothing."""
    return SUFFIXES.get(path.suffix.lower())


def open_source(path: Path, layout: FileLayout) -> Source:
    """The rows of ``path``; TerminalError when there is no such file or it is of another kind."""
    if not path.is_file():
        msg = f"no such file: {path}"
        raise TerminalError(msg)
    openers = {"csv": _open_csv, "jsonl": _open_json_lines, "parquet": _open_parquet}
    return openers[layout.format](path, layout)


def _open_csv(path: Path, layout: FileLayout) -> Source:
    # What is not of the encoding is kept as surrogates, so that one bad row does not end the file.
    raw = path.open("rb")
    encoding = "utf-8-sig" if layout.encoding.lower() in {"utf-8", "utf8"} else layout.encoding
    text = io.TextIOWrapper(raw, encoding=encoding, errors="surrogateescape", newline="")
    quoting = {"quotechar": layout.quote} if layout.quote else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(text, delimiter=layout.delimiter, **quoting)
    header = next(reader, None)
    if header is None:
        text.close()
        msg = f"{path} is empty - the first line must name the columns"
        raise TerminalError(msg)
    columns = tuple(name.strip() for name in header)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        text.close()
        msg = f"{path} names a column twice: {', '.join(twice)}"
        raise TerminalError(msg)
    return Source(
        columns=columns,
        rows=_read_csv(reader, columns, layout.encoding),
        fraction_read=_fraction(raw, path),
        close=text.close,
    )


def _read_csv(reader: Any, columns: tuple[str, ...], encoding: str) -> Iterator[Row]:
    number = 0
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            broken = RowFault(BAD_ROW, f"line {reader.line_num} is not CSV: {error}")
            yield Row(number=number, columns={}, original=None, fault=broken)
            continue
        if not values:  # an empty line is no row
            continue
        number += 1
        fault = _csv_fault(values, columns, reader.line_num, encoding)
        named = dict(zip(columns, values, strict=False))
        original = values if len(values) != len(columns) else named
        yield Row(number=number, columns=named, original=original, fault=fault)


def _csv_fault(
    values: list[str], columns: tuple[str, ...], line: int, encoding: str
) -> RowFault | None:
    if len(values) != len(columns):
        detail = f"line {line} has {len(values)} values - must have {len(columns)}, as the header"
        return RowFault(BAD_ROW, detail)
    if any("\udc80" <= c <= "\udcff" for value in values if not value.isascii() for c in value):
        return RowFault(BAD_ROW, f"line {line} is not text in {encoding}")
    return None


def _open_json_lines(path: Path, layout: FileLayout) -> Source:
    del layout
    raw = path.open("rb")
    return Source(
        columns=None,
        rows=_read_json_lines(raw),
        fraction_read=_fraction(raw, path),
        close=raw.close,
    )


def _read_json_lines(raw: BufferedReader) -> Iterator[Row]:
    number = 0
    for line_number, line in enumerate(raw, start=1):
        if not line.strip():
            continue
        number += 1
        try:
            columns = read_object(line)
        except ContractFault as found:
            fault = RowFault(BAD_ROW, f"line {line_number}: {found.detail}")
            original = line.decode(errors="backslashreplace").rstrip("\r\n")
            yield Row(number=number, columns={}, original=original, fault=fault)
        else:
            yield Row(number=number, columns=columns, original=columns)


def _open_parquet(path: Path, layout: FileLayout) -> Source:
    del layout
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        msg = "reading Parquet needs pyarrow: pip install 'fraudlake[lakehouse]'"
        raise TerminalError(msg) from error
    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        msg = f"{path} is not a Parquet file: {error}"
        raise TerminalError(msg) from error
    # Python's times end at microseconds; what is finer is cut off, not an error.
    schema = pa.schema(
        [
            field.with_type(pa.timestamp("us", field.type.tz))
            if pa.types.is_timestamp(field.type)
            else field
            for field in file.schema_arrow
        ]
    )
    read = [0]

    def rows() -> Iterator[Row]:
        for batch in file.iter_batches(batch_size=4096):
            for columns in batch.cast(schema, safe=False).to_pylist():
                read[0] += 1
                yield Row(number=read[0], columns=columns, original=columns)

    return Source(
        columns=tuple(file.schema_arrow.names),
        rows=rows(),
        fraction_read=lambda: read[0] / max(1, file.metadata.num_rows),
        close=file.close,
    )


def _fraction(raw: BufferedReader, path: Path) -> Callable[[], float]:
    size = max(1, path.stat().st_size)
    return lambda: 1.0 if raw.closed else min(1.0, raw.tell() / size)
