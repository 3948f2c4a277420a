"""Decisions into rows, many at once: DuckDB reads the JSON, and says of which records it is sure.

A record of which it is not sure (another layout, another type, a value that the contract may
refuse, money near a rounding edge, features that its neighbours do not have) goes through
``rows.py``, which is strict and slow. So what is taken here must be right; what is not taken here
need not be wrong. Records that DuckDB has no room for are divided until it has, or until each is
alone and goes the slow way.
"""

from __future__ import annotations

import logging
from importlib import resources

import duckdb
import pyarrow as pa

from sinks.lakehouse.ingest.certainty import Judge
from sinks.lakehouse.ingest.decision_members import REST_TYPES, TRANSACTION_TYPES, query_parameters
from sinks.lakehouse.ingest.decision_text import cut, first_features
from sinks.lakehouse.ingest.records import Decoded, Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.refusals import first_line
from sinks.lakehouse.tables import DECISIONS, FEATURES

_LOG = logging.getLogger(__name__)

MEMORY_LIMIT = "512MB"
# No blank but in a text, and no comma without a member behind it.
_MACRO = """CREATE TEMP MACRO is_compact(text) AS (
    NOT contains(text, ',}') AND NOT contains(text, ',]') AND NOT contains(text, ' ')
    AND NOT contains(text, chr(9)) AND NOT contains(text, chr(10)) AND NOT contains(text, chr(13))
)"""


class DecisionDecoder:
    """An open DuckDB, used by one thread."""

    def __init__(self) -> None:
        self._connection = _connect()
        self._query = resources.files(__package__).joinpath("decode_decisions.sql").read_text()
        self._judge = Judge({"transaction_types": TRANSACTION_TYPES, "rest_types": REST_TYPES})

    def close(self) -> None:
        """Free its memory."""
        self._connection.close()

    def decode(self, records: Records) -> Decoded:
        """Every record as a row of ``decisions`` or as a refusal."""
        try:
            fast = self._decode_sure(records)
        except duckdb.Error as error:
            # A few wide records take up a hundred times their size. What they leave is given back.
            reason = first_line(str(error))
            _LOG.warning("event=block_divided records=%d reason=%r", len(records), reason)
            self._connection.close()
            self._connection = _connect()
            return self._decode_halves(records)
        if fast is None:
            return decode_rows(DECISIONS, records)
        sure, taken = fast
        slow = decode_rows(DECISIONS, records.select(set(range(len(records))) - taken))
        return Decoded(rows=(sure, *slow.rows), refused=slow.refused)

    def _decode_halves(self, records: Records) -> Decoded:
        if len(records) == 1:
            return decode_rows(DECISIONS, records)
        middle = len(records) // 2
        first = self.decode(records.select(range(middle)))
        second = self.decode(records.select(range(middle, len(records))))
        return Decoded(rows=first.rows + second.rows, refused=first.refused + second.refused)

    def _decode_sure(self, records: Records) -> tuple[pa.Table, set[int]] | None:
        """The rows one can be sure of, and which records they are; None if there are none."""
        expected = first_features(records)
        block = None if expected is None else cut(records, expected)
        if expected is None or block is None:
            return None
        self._connection.register("block", block)
        try:
            answer = self._connection.sql(self._query, params=query_parameters(expected))
            found = answer.to_arrow_table()
        finally:
            self._connection.unregister("block")
        features = found.column(FEATURES).combine_chunks().flatten()
        found = found.filter(self._judge.judge(found, finite=features))
        if found.num_rows == 0:
            return None
        return _to_rows(found, expected), set(found.column("row_index").to_pylist())


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY_LIMIT})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_MACRO)
    return connection


def _to_rows(found: pa.Table, expected: list[str]) -> pa.Table:
    """The query's answer in the columns of the table, with the features beside them."""
    columns = []
    schema = DECISIONS.arrow_schema()
    for field in schema:
        if pa.types.is_timestamp(field.type):
            column = found.column(f"{field.name}_us").cast(pa.timestamp("us")).cast(field.type)
        else:
            column = found.column(field.name).cast(field.type)
        columns.append(column)
    struct = pa.struct([pa.field(name, pa.float64()) for name in expected])
    features = found.column(FEATURES).cast(struct)
    return pa.Table.from_arrays(
        [*columns, features], schema=schema.append(pa.field(FEATURES, struct))
    )
