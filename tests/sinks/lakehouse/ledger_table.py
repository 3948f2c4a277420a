"""Where a ledger stands, and what its table holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from decision_records import collect, decision_value

from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.table import Table


def rows_of(*offsets: int, **members: Any) -> list[pa.Table]:
    """Decisions at these offsets, which follow each other."""
    values = [decision_value(**members) for _ in offsets]
    return list(decode_rows(DECISIONS, collect(*values, offset=offsets[0])).rows)


def at(offset: int, *, dead_letters: int = 0) -> Position:
    return Position(
        cluster_id="cluster",
        topic_id="topic-1",
        topic="decisions",
        next_offsets={0: offset, 1: 0},
        dead_letters=dead_letters,
    )


def offsets_in(table: Table) -> list[int]:
    return sorted(table.refresh().scan().to_arrow().column("kafka_offset").to_pylist())


def data_files(table: Table) -> int:
    return len(list(table.refresh().inspect.files().column("file_path")))


def parquet_files(table: Table) -> list[str]:
    folder = Path(table.location().removeprefix("file://"))
    return [str(path) for path in folder.rglob("*.parquet")]
