"""A table whose names have changed, read by the ids of its columns: what Iceberg goes by.

Each data file says in its footer which id it stores under which name. Files that agree are read
together, with a SELECT that gives each column its present name; DuckDB still reads no other columns
and row groups than a question needs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.types import NestedField, StructType

from sinks.lakehouse.query.plan import duckdb_type, literal, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A column, or a part of one, as a file has it."""

    name: str
    field_id: int | None
    """None: the file came from elsewhere and has no ids."""
    parts: tuple[StoredColumn, ...]


def select_by_id(
    connection: duckdb.DuckDBPyConnection, fields: Sequence[NestedField], paths: Sequence[str]
) -> str | None:
    """A question for the rows of ``paths`` in ``fields``; None if a file has no ids."""
    layouts = _read_layouts(connection, paths)
    if not all(_has_ids(column) for columns in layouts for column in columns):
        return None
    return " UNION ALL ".join(
        f"SELECT {', '.join(_shown(field, columns) for field in fields)} "
        f"FROM read_parquet([{', '.join(literal(path) for path in alike)}], "
        "hive_partitioning = false) AS stored"
        for columns, alike in layouts.items()
    )


def _read_layouts(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str]
) -> dict[tuple[StoredColumn, ...], list[str]]:
    """The files by the columns that they have."""
    by_file: dict[str, list[tuple[str, int, int | None]]] = defaultdict(list)
    for path, name, parts, field_id in connection.execute(
        "SELECT file_name, name, coalesce(num_children, 0), field_id FROM parquet_schema(?)",
        [list(paths)],
    ).fetchall():
        by_file[path].append((name, parts, field_id))
    layouts: dict[tuple[StoredColumn, ...], list[str]] = defaultdict(list)
    for path, elements in by_file.items():
        layouts[_read_column(iter(elements)).parts].append(path)
    return layouts


def _read_column(elements: Iterator[tuple[str, int, int | None]]) -> StoredColumn:
    """The next column of a footer, which lists each before its parts."""
    name, parts, field_id = next(elements)
    inner = tuple(_read_column(elements) for _ in range(parts))
    return StoredColumn(name=name, field_id=field_id, parts=inner)


def _has_ids(column: StoredColumn) -> bool:
    return column.field_id is not None


def _shown(field: NestedField, columns: tuple[StoredColumn, ...]) -> str:
    return f"{_value(field, columns, 'stored')} AS {quote(field.name)}"


def _value(field: NestedField, columns: tuple[StoredColumn, ...], parent: str) -> str:
    """The field out of ``parent``, which has ``columns``; NULL where it has not got it."""
    wanted = duckdb_type(field.field_type)
    stored = next((one for one in columns if one.field_id == field.field_id), None)
    if stored is None:
        return f"NULL::{wanted}"
    source = f"{parent}.{quote(stored.name)}"
    if not isinstance(field.field_type, StructType):
        return f"{source}::{wanted}"
    members = ", ".join(
        f"{quote(member.name)} := {_value(member, stored.parts, source)}"
        for member in field.field_type.fields
    )
    return f"CASE WHEN {source} IS NOT NULL THEN struct_pack({members}) END"
