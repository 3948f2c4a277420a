"""What a table holds, and which files lie under it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyiceberg.table import Table


def rows_of(table: Table) -> list[dict[str, Any]]:
    """Every row of the newest state, by offset."""
    rows: list[dict[str, Any]] = table.refresh().scan().to_arrow().to_pylist()
    return sorted(rows, key=lambda row: row["kafka_offset"])


def files_under(table: Table) -> set[str]:
    """Every file there is, as a path below the table."""
    folder = Path(table.location().removeprefix("file://"))
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
