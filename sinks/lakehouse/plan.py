"""Which files hold a table at a moment, and how DuckDB must read them.

pyiceberg plans, DuckDB reads: five to eight times faster than through Arrow, and nothing but this
file list is needed. Columns are matched by field id, so a column that was renamed, dropped or
widened reads right in old files too. Members of structs are matched by name; where one was renamed,
and where rows were deleted by delete files, the table is read through Arrow instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFileContent
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table

_FILE_SCHEME = "file://"
_TYPES: dict[type[IcebergType], str] = {
    BooleanType: "BOOLEAN",
    IntegerType: "INTEGER",
    LongType: "BIGINT",
    FloatType: "FLOAT",
    DoubleType: "DOUBLE",
    DateType: "DATE",
    TimeType: "TIME",
    TimestampType: "TIMESTAMP",
    TimestamptzType: "TIMESTAMP WITH TIME ZONE",
    StringType: "VARCHAR",
    UUIDType: "UUID",
    BinaryType: "BLOB",
    FixedType: "BLOB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTable:
    """A SELECT that gives the table's rows, or the rows themselves where there is no other way."""

    fields: tuple[NestedField, ...]
    select: str | None
    arrow: pa.Table | None = None


def plan_table(table: Table, *, snapshot_id: int | None) -> PlannedTable:
    """The table at a snapshot; None: at its newest. A table without any snapshot has no rows."""
    scan = table.scan(snapshot_id=snapshot_id)
    schema = scan.projection()
    tasks = list(scan.plan_files())
    paths = [task.file.file_path for task in tasks]
    needs_arrow = (
        any(task.delete_files for task in tasks)
        or any(task.file.content != DataFileContent.DATA for task in tasks)
        or not all(path.startswith((_FILE_SCHEME, "/")) for path in paths)
        or _has_renamed_members(table)
    )
    if paths and needs_arrow:
        return PlannedTable(fields=schema.fields, select=None, arrow=scan.to_arrow())
    return PlannedTable(fields=schema.fields, select=_select(schema.fields, paths))


def plan_nothing(schema: Schema) -> PlannedTable:
    """A table that is not there yet: its columns, and no rows."""
    return PlannedTable(fields=schema.fields, select=_select(schema.fields, []))


def duckdb_type(type_: IcebergType) -> str:
    """How DuckDB calls an Iceberg type."""
    if isinstance(type_, DecimalType):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if isinstance(type_, ListType):
        return f"{duckdb_type(type_.element_type)}[]"
    if isinstance(type_, MapType):
        return f"MAP({duckdb_type(type_.key_type)}, {duckdb_type(type_.value_type)})"
    if isinstance(type_, StructType):
        members = (f"{quote(field.name)} {duckdb_type(field.field_type)}" for field in type_.fields)
        return f"STRUCT({', '.join(members)})"
    return _TYPES[type(type_)]


def quote(name: str) -> str:
    """An identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def _select(fields: tuple[NestedField, ...], paths: list[str]) -> str:
    if not paths:
        columns = ", ".join(f"NULL::{duckdb_type(f.field_type)} AS {quote(f.name)}" for f in fields)
        return f"SELECT {columns} WHERE false"
    files = ", ".join(literal(path.removeprefix(_FILE_SCHEME)) for path in paths)
    columns = ", ".join(
        f"{field.field_id}: {{name: {literal(field.name)}, "
        f"type: {literal(duckdb_type(field.field_type))}, default_value: NULL}}"
        for field in fields
    )
    return f"SELECT * FROM read_parquet([{files}], schema = MAP {{{columns}}})"


def _has_renamed_members(table: Table) -> bool:
    """True if a member of a struct ever had another name, or its name belonged to another one."""
    places: dict[int, str] = {}
    owners: dict[str, int] = {}
    for schema in table.schemas().values():
        for field_id, place in _members(schema):
            if places.setdefault(field_id, place) != place:
                return True
            if owners.setdefault(place, field_id) != field_id:
                return True
    return False


def _members(schema: Schema) -> Iterator[tuple[int, str]]:
    """Each member of a struct by its own id and where it stands: the column's id, then names."""

    def walk(type_: IcebergType, place: str) -> Iterator[tuple[int, str]]:
        if isinstance(type_, StructType):
            for field in type_.fields:
                yield field.field_id, f"{place}.{field.name}"
                yield from walk(field.field_type, f"{place}.{field.name}")
        elif isinstance(type_, ListType):
            yield from walk(type_.element_type, f"{place}[]")
        elif isinstance(type_, MapType):
            yield from walk(type_.key_type, f"{place}.key")
            yield from walk(type_.value_type, f"{place}.value")

    for column in schema.fields:
        yield from walk(column.field_type, str(column.field_id))
