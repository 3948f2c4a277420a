"""The view of one planned table in DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from pipelines.errors import SinkError
from sinks.lakehouse.query.by_id import select_by_id
from sinks.lakehouse.query.plan import duckdb_type, literal, quote
from sinks.lakehouse.query.remote_files import without_traceback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.types import NestedField

    from sinks.lakehouse.query.late_rows import LateRows
    from sinks.lakehouse.query.plan import PlannedTable


def create_view(
    connection: duckdb.DuckDBPyConnection, name: str, planned: PlannedTable, *, schema: str
) -> LateRows | None:
    """A view that shows the planned rows in the table's own columns and types.

    The rows that it is made of, where DuckDB does not read the files itself.
    """
    late, question = None, None
    if planned.paths:
        question = _select_from_files(connection, name, planned)
    elif planned.late is None:
        question = f"SELECT {_columns(planned, {})} WHERE false"
    if question is None:
        assert planned.late is not None  # it stands beside paths without ids
        late = planned.late
        connection.register(f"{name}_rows", late)
        names = ", ".join(quote(field.name) for field in planned.fields)
        question = f"SELECT {names} FROM {quote(f'{name}_rows')}"
    connection.execute(f"CREATE VIEW {quote(schema)}.{quote(name)} AS {question}")
    return late


def _select_from_files(
    connection: duckdb.DuckDBPyConnection, name: str, planned: PlannedTable
) -> str | None:
    """None: they have no ids to go by."""
    try:
        if planned.is_by_id:
            return select_by_id(connection, planned.fields, planned.paths)
        files = ", ".join(literal(path) for path in planned.paths)
        relation = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as error:
        msg = f"the files of table {name} cannot be read: {without_traceback(error)}"
        raise SinkError(msg) from error
    found = {row[0]: row[1] for row in described}
    return f"SELECT {_columns(planned, found)} FROM {relation}"


def _columns(planned: PlannedTable, found: Mapping[str, str]) -> str:
    return ", ".join(_column(field, found) for field in planned.fields)


def _column(field: NestedField, found: Mapping[str, str]) -> str:
    """The column as it is, cast where a file has an older type, NULL where no file has it yet."""
    name, wanted = quote(field.name), duckdb_type(field.field_type)
    if field.name not in found:
        return f"NULL::{wanted} AS {name}"
    # A cast would keep DuckDB from reading single members of a struct, so it must be needed.
    is_whole = found[field.name] == wanted.replace(", ", ",") or found[field.name] == wanted
    return name if is_whole else f"{name}::{wanted} AS {name}"
