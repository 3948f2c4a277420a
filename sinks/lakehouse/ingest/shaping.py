"""Rows as decoded into the columns of the table as it is.

A table may be newer than the sink, and have columns that no row has: they are NULL. It must not be
older: a row that has what the table cannot hold waits, so that nothing of it is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.schema import feature_names
from sinks.lakehouse.tables import FEATURES, KAFKA_TOPIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.table import Table


def shape(block: pa.Table, table: Table, *, topic: str) -> pa.Table:
    """``block`` with the table's own columns and features, in its order; NULL where it has none.

    Raises what ``refuse_misfit`` does.
    """
    refuse_misfit(block.schema, table)
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    names = feature_names(table.schema())
    columns = []
    for field in schema:
        if field.name == FEATURES:
            columns.append(_shape_features(block, names).cast(field.type))
        elif field.name == KAFKA_TOPIC:
            columns.append(pa.repeat(pa.scalar(topic, field.type), block.num_rows))
        elif field.name in block.column_names:
            columns.append(block.column(field.name).combine_chunks().cast(field.type))
        else:
            columns.append(pa.nulls(block.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def refuse_misfit(given: pa.Schema, table: Table) -> None:
    """Raise if the table cannot hold rows with the columns ``given``.

    TransientError if it is not there yet where the rows are: it can be brought up meanwhile.
    SinkError if it wants a column that no row has.
    """
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    known = feature_names(table.schema())
    columns = [name for name in given.names if name not in {*schema.names, FEATURES}]
    features = [name for name in _features_of(given) if name not in known]
    if columns or features:
        more = [*columns, *(f"{FEATURES}.{name}" for name in features)]
        options = "".join(f" --feature {name}" for name in features)
        msg = (
            f"table {'.'.join(table.name())} has no {', '.join(more)}, which its rows have. "
            f"Nothing is stored until it does: `fraudlake lake apply{options}`"
        )
        raise TransientError(msg)
    for field in schema:
        if not field.nullable and field.name not in {*given.names, KAFKA_TOPIC, FEATURES}:
            msg = (
                f"table {'.'.join(table.name())} wants a value for column {field.name}, which no "
                "row has: another tool has added it. Make it optional, or drop it"
            )
            raise SinkError(msg)


def _features_of(given: pa.Schema) -> list[str]:
    if FEATURES not in given.names:
        return []
    return [field.name for field in given.field(FEATURES).type]


def _shape_features(block: pa.Table, names: Sequence[str]) -> pa.StructArray:
    given = _features_of(block.schema)
    missing = pa.nulls(block.num_rows, pa.float64())
    if given:
        struct = block.column(FEATURES).combine_chunks()
        arrays = [struct.field(name) if name in given else missing for name in names]
    else:
        arrays = [missing for _ in names]
    return pa.StructArray.from_arrays(arrays, names=list(names))
