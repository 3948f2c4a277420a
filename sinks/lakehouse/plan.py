"""Which files hold a table at a moment, and how DuckDB must read them.

pyiceberg plans, DuckDB reads, from a folder or from a store: five to eight times faster than
through Arrow, and nothing but the list of files is needed. Columns are matched by name, which is
right as long as every name has meant the same column in all schemas of the table: the sink only
ever adds. Where a column was renamed, or a name was given to a new one, or rows were deleted by
delete files, pyiceberg reads the table into Arrow instead. (DuckDB 2.0 can match by field id too,
but then fails on structs that have grown: see ``docs/decisions/004-features-as-struct.md``.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.schema import index_by_name
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

from pipelines.errors import SinkError
from sinks.lakehouse.remote_files import RemoteFile, without_traceback

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from pyiceberg.manifest import DataFile
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
    """The columns, and where their rows are: in ``paths``, or read already where that is needed.

    DuckDB needs help with the paths that ``remote`` has (``register_files``).
    """

    fields: tuple[NestedField, ...]
    paths: tuple[str, ...] = ()
    remote: Mapping[str, RemoteFile] = field(default_factory=dict)
    arrow: pa.Table | None = None


def plan_table(table: Table, *, snapshot_id: int | None) -> PlannedTable:
    """The table at a snapshot; None: at its newest. A table without any snapshot has no rows."""
    scan = table.scan(snapshot_id=snapshot_id)
    schema = scan.projection()
    tasks = list(scan.plan_files())
    if tasks and (any(task.delete_files for task in tasks) or _has_ambiguous_names(table)):
        return PlannedTable(fields=schema.fields, arrow=scan.to_arrow())
    paths = [task.file.file_path.removeprefix(_FILE_SCHEME) for task in tasks]
    remote = {
        task.file.file_path: _remote_file(table, task.file)
        for task in tasks
        if not task.file.file_path.startswith((_FILE_SCHEME, "/"))
    }
    return PlannedTable(fields=schema.fields, paths=tuple(paths), remote=remote)


def plan_nothing(schema: Schema) -> PlannedTable:
    """A table that is not there yet: its columns, and no rows."""
    return PlannedTable(fields=schema.fields)


def create_view(
    connection: duckdb.DuckDBPyConnection, name: str, planned: PlannedTable, *, schema: str
) -> None:
    """A view that shows the planned rows in the table's own columns and types."""
    if planned.arrow is not None:
        relation = f"{name}_rows"
        connection.register(relation, planned.arrow)
        found = None
    elif planned.paths:
        files = ", ".join(literal(path) for path in planned.paths)
        relation = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        found = _describe(connection, name, relation)
    else:
        relation = "(SELECT 1 WHERE false)"
        found = {}
    columns = ", ".join(_column(field, found) for field in planned.fields)
    connection.execute(
        f"CREATE VIEW {quote(schema)}.{quote(name)} AS SELECT {columns} FROM {relation}"
    )


def _describe(connection: duckdb.DuckDBPyConnection, name: str, relation: str) -> dict[str, str]:
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as error:
        msg = f"the files of table {name} cannot be read: {without_traceback(error)}"
        raise SinkError(msg) from error
    return {row[0]: row[1] for row in rows}


def _column(field: NestedField, found: Mapping[str, str] | None) -> str:
    """The column as it is, cast where a file has an older type, NULL where no file has it yet."""
    name, wanted = quote(field.name), duckdb_type(field.field_type)
    if found is None:
        return name
    if field.name not in found:
        return f"NULL::{wanted} AS {name}"
    # A cast would keep DuckDB from reading single members of a struct, so it must be needed.
    is_whole = found[field.name] == wanted.replace(", ", ",") or found[field.name] == wanted
    return name if is_whole else f"{name}::{wanted} AS {name}"


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


def _remote_file(table: Table, file: DataFile) -> RemoteFile:
    assert isinstance(table.io, PyArrowFileIO)  # the catalog is opened with it
    scheme, host, path = table.io.parse_location(file.file_path, table.io.properties)
    return RemoteFile(
        store=table.io.fs_by_scheme(scheme, host), path=path, size=file.file_size_in_bytes
    )


def _has_ambiguous_names(table: Table) -> bool:
    """True if a column or member ever had another name, or its name belonged to another one."""
    names: dict[int, str] = {}
    owners: dict[str, int] = {}
    for schema in table.schemas().values():
        for name, field_id in index_by_name(schema).items():
            if names.setdefault(field_id, name) != name:
                return True
            if owners.setdefault(name, field_id) != field_id:
                return True
    return False
