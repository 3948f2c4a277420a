"""Which files hold a table at a moment, and how DuckDB must read them.

pyiceberg plans, DuckDB reads, from a folder or from a store: five to eight times faster than
through Arrow, and nothing but the list of files is needed. Columns are matched by name, which is
right as long as every name has meant the same column in all schemas of the table: the sink only
ever adds. Where a column was renamed, or a name was given to a new one, they are matched by id
(``by_id.py``). Only a table of which another engine has deleted rows by delete files is read by
pyiceberg, when a question needs it. (DuckDB 2.0 has a way of its own to match by field id, which
fails on structs that have grown: see ``docs/decisions/004-features-as-struct.md``.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
from pyiceberg.schema import index_name_by_id
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
from sinks.lakehouse.query.late_rows import LateRows
from sinks.lakehouse.query.remote_files import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    """The columns, and where their rows are: in ``paths``, or only to be had from ``late``.

    DuckDB needs help with the paths that ``remote`` has (``register_files``).
    """

    fields: tuple[NestedField, ...]
    paths: tuple[str, ...] = ()
    remote: Mapping[str, RemoteFile] = field(default_factory=dict)
    is_by_id: bool = False
    """True: a name has meant different columns, so the ids in the files count."""
    late: LateRows | None = None
    """Beside ``paths``: for files that turn out to have no ids."""


def plan_table(table: Table, *, snapshot_id: int | None) -> PlannedTable:
    """The table at a snapshot; None: at its newest. A table without any snapshot has no rows."""
    scan = table.scan(snapshot_id=snapshot_id)
    schema = scan.projection()
    try:
        tasks = list(scan.plan_files())
    except ValueError as error:
        if "equality deletes" not in str(error):
            raise
        msg = (
            f"another engine has deleted rows of {'.'.join(table.name())} by equality deletes, "
            "which cannot be read here: compact it with that engine (Spark: rewrite_data_files)"
        )
        return plan_refusal(schema, SinkError(msg))
    late = LateRows(_arrow_schema(schema), scan.to_arrow_batch_reader)
    if any(task.delete_files for task in tasks):
        return PlannedTable(fields=schema.fields, late=late)
    is_by_id = bool(tasks) and _has_ambiguous_names(table)
    if is_by_id and not _have_ids_in_reach(schema.fields):
        return PlannedTable(fields=schema.fields, late=late)
    paths = [task.file.file_path.removeprefix(_FILE_SCHEME) for task in tasks]
    remote = {
        task.file.file_path: _remote_file(table, task.file)
        for task in tasks
        if not task.file.file_path.startswith((_FILE_SCHEME, "/"))
    }
    return PlannedTable(
        fields=schema.fields,
        paths=tuple(paths),
        remote=remote,
        is_by_id=is_by_id,
        late=late if is_by_id else None,
    )


def plan_nothing(schema: Schema) -> PlannedTable:
    """A table that is not there yet: its columns, and no rows."""
    return PlannedTable(fields=schema.fields)


def plan_refusal(schema: Schema, error: SinkError) -> PlannedTable:
    """A table whose rows cannot be shown: a question that needs them fails with ``error``."""

    def refuse() -> pa.RecordBatchReader:
        raise error

    return PlannedTable(fields=schema.fields, late=LateRows(_arrow_schema(schema), refuse))


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


def _arrow_schema(schema: Schema) -> pa.Schema:
    return schema_to_pyarrow(schema, include_field_ids=False)


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
        for field_id, name in index_name_by_id(schema).items():
            if names.setdefault(field_id, name) != name:
                return True
            if owners.setdefault(name, field_id) != field_id:
                return True
    return False


def _have_ids_in_reach(fields: Iterable[NestedField]) -> bool:
    """False where a list or map holds structs, whose members ``by_id.py`` does not look for."""
    return all(_is_plain(field.field_type) for field in fields)


def _is_plain(type_: IcebergType) -> bool:
    if isinstance(type_, StructType):
        return all(_is_plain(field.field_type) for field in type_.fields)
    if isinstance(type_, ListType):
        return not isinstance(type_.element_type, StructType | ListType | MapType)
    return not isinstance(type_, MapType)
