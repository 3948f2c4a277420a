"""Decisions into rows, many at once: DuckDB reads the JSON, and says of which records it is sure.

A record of which it is not sure (another layout, another type, a value that the contract may
refuse, money near a rounding edge, features that its neighbours do not have) goes through
``rows.py``, which is strict and slow. So what is taken here must be right; what is not taken here
need not be wrong. Records that DuckDB has no room for are divided until it has, or until each is
alone and goes the slow way.
"""

from __future__ import annotations

import json
import logging
from importlib import resources
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contracts.fields import CONTROL
from sinks.lakehouse.records import Decoded, Records
from sinks.lakehouse.refusals import first_line
from sinks.lakehouse.rows import decode_rows
from sinks.lakehouse.tables import DECISIONS, FEATURE_NAME, FEATURES, MOST_FEATURES
from sinks.lakehouse.verdicts import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOG = logging.getLogger(__name__)

MEMORY_LIMIT = "512MB"
_LONGEST_SEARCH = 20
"""So many records may be of another make before the whole block is."""
# The layout of the encoder: between these pieces stand the texts that are cut out.
_HEAD = b'{"decision_id":"'
_NECK = b'","transaction":{'
_TAIL = b'},"base_amount":'
_FEATURES = b',"features":{'
_SCORE = b'},"score":'
_ID_END = len(_HEAD) + 32
_TRANSACTION_START = _ID_END + len(_NECK) - 1

_TAME_BYTES = 1000
"""A strict reader takes numbers of so many digits, and half as deep a nesting, in any text."""
_LONG_NUMBER = b"0" * (_TAME_BYTES + 1)
_DIGITS_ALIKE = bytes(ord("0") if chr(at) in "0123456789.eE+-" else 0 for at in range(256))

_NUMBER = frozenset({"UBIGINT", "BIGINT", "DOUBLE"})
_TEXT = frozenset({"VARCHAR"})
_COUNT = frozenset({"UBIGINT"})
_NULL = frozenset({"NULL"})

_TRANSACTION: dict[str, tuple[str, frozenset[str]]] = {
    **dict.fromkeys(
        (
            "transaction_id",
            "card_id",
            "customer_id",
            "merchant_id",
            "merchant_category",
            "currency",
            "channel",
        ),
        ("VARCHAR", _TEXT),
    ),
    "event_time": ("VARCHAR", _TEXT),
    "amount": ("DOUBLE", _NUMBER),
    **dict.fromkeys(
        (
            "entry_mode",
            "kind",
            "status",
            "decline_reason",
            "country",
            "device_id",
            "ip_address",
            "ip_country",
            "billing_country",
            "shipping_country",
        ),
        ("VARCHAR", _TEXT | _NULL),
    ),
    **dict.fromkeys(
        (
            "latitude",
            "longitude",
            "billing_latitude",
            "billing_longitude",
            "shipping_latitude",
            "shipping_longitude",
        ),
        ("DOUBLE", _NUMBER | _NULL),
    ),
}
_REST: dict[str, tuple[str, frozenset[str]]] = {
    "base_amount": ("DOUBLE", _NUMBER),
    "base_currency": ("VARCHAR", _TEXT),
    "score": ("DOUBLE", _NUMBER),
    "band": ("VARCHAR", _TEXT),
    "ruleset": ("VARCHAR", _TEXT),
    "model": ("VARCHAR", _TEXT | _NULL),
    "is_late": ("BOOLEAN", frozenset({"BOOLEAN"})),
    "is_duplicate": ("BOOLEAN", frozenset({"BOOLEAN"})),
    "duplicate_of_offset": ("UBIGINT", _COUNT | _NULL),
    "previous_transaction_id": ("VARCHAR", _TEXT | _NULL),
    "decided_at": ("VARCHAR", _TEXT),
    "alert_id": ("VARCHAR", _TEXT | _NULL),
}
_SOURCE: dict[str, tuple[str, frozenset[str]]] = {
    "topic": ("VARCHAR", _TEXT),
    "partition": ("UBIGINT", _COUNT),
    "offset": ("UBIGINT", _COUNT),
}
_RULES_FIRED = "rules_fired"
_REST_KEYS = [
    "base_amount",
    "base_currency",
    "score",
    "band",
    _RULES_FIRED,
    "ruleset",
    "model",
    "is_late",
    "is_duplicate",
    "duplicate_of_offset",
    "previous_transaction_id",
    "source",
    "decided_at",
    "alert_id",
]
# As the contract has it, without the hours and days that there are not.
_TIME_SHAPE = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?"
    "(Z|[+]00:00)"
)
# No blank but in a text, and no comma without a member behind it.
_MACRO = """CREATE TEMP MACRO is_compact(text) AS (
    NOT contains(text, ',}') AND NOT contains(text, ',]') AND NOT contains(text, ' ')
    AND NOT contains(text, chr(9)) AND NOT contains(text, chr(10)) AND NOT contains(text, chr(13))
)"""


_TRANSACTION_TYPES = [allowed for _, allowed in _TRANSACTION.values()]
_REST_TYPES = [
    *(allowed for _, allowed in _REST.values()),
    *(allowed for _, allowed in _SOURCE.values()),
    frozenset({"ARRAY"}),
]


class DecisionDecoder:
    """An open DuckDB, used by one thread."""

    def __init__(self) -> None:
        self._connection = _connect()
        self._query = resources.files(__package__).joinpath("decode_decisions.sql").read_text()
        self._judge = Judge({"transaction_types": _TRANSACTION_TYPES, "rest_types": _REST_TYPES})

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
        expected = _first_features(records)
        block = None if expected is None else _cut(records, expected)
        if expected is None or block is None:
            return None
        self._connection.register("block", block)
        try:
            found = self._connection.sql(self._query, params=_parameters(expected)).to_arrow_table()
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


def _first_features(records: Records) -> list[str] | None:
    """The features of the first record that has usable ones: a pattern for the others."""
    for value in records.values[:_LONGEST_SEARCH]:
        names = None if value is None else _features_of(value)
        if names is not None:
            return names
    return None


def _cut(records: Records, expected: Sequence[str]) -> pa.Table | None:
    """The records whose layout is the encoder's, in pieces; None if a text of one is not UTF-8.

    Those that may be nested too deeply for a strict reader, or hold too long a number, are left
    out.

    Each is cut where the layout says. If all pieces are JSON there was only this place to cut: the
    transaction is an object, the features are one, and what is around them is one without them.
    """
    at, ids, transactions, features, rests = [], [], [], [], []
    names = sum(len(name) + len('"":,') for name in expected)
    for index, value in enumerate(records.values):
        if (
            value is None
            or value[: len(_HEAD)] != _HEAD
            or value[_ID_END : _TRANSACTION_START + 1] != _NECK
        ):
            continue
        end = value.find(_TAIL, _TRANSACTION_START) + 1
        start = value.find(_FEATURES, end)
        stop = value.find(_SCORE, start) + 1
        if not 0 < end <= start < stop:
            continue
        pieces = (
            value[_TRANSACTION_START:end],
            value[start + len(_FEATURES) - 1 : stop],
            b"{" + value[end + 1 : start + 1] + value[stop + 1 :],
        )
        if _is_tame(pieces[0]) and _is_tame(pieces[1], names) and _is_tame(pieces[2]):
            at.append(index)
            ids.append(value[len(_HEAD) : _ID_END])
            transactions.append(pieces[0])
            features.append(pieces[1])
            rests.append(pieces[2])
    try:
        texts = [
            pa.array(part, pa.binary()).cast(pa.string())
            for part in (ids, transactions, features, rests)
        ]
    except pa.ArrowInvalid:
        return None
    places = pa.array(at, pa.int32())
    return pa.table(
        {
            "row_index": places,
            "decision_id": texts[0],
            "transaction": texts[1],
            "features_text": texts[2],
            "rest": texts[3],
            "kafka_partition": pa.array(records.partitions, pa.int32()).take(places),
            "kafka_offset": pa.array(records.offsets, pa.int64()).take(places),
            "kafka_time_us": pc.multiply(pa.array(records.times_ms, pa.int64()).take(places), 1000),
        }
    )


def _is_tame(text: bytes, known: int = 0) -> bool:
    """True if ``text`` is surely neither nested deeply nor holds a number of a thousand digits.

    ``known`` bytes of it are no number and open nothing.
    """
    if len(text) - known <= _TAME_BYTES:
        return True
    is_flat = text.count(b"{") + text.count(b"[") <= _TAME_BYTES // 2
    return is_flat and _LONG_NUMBER not in text.translate(_DIGITS_ALIKE)


def _features_of(value: bytes) -> list[str] | None:
    """The feature names of one record; None if it is not usable as a pattern for the others."""
    try:
        features = json.loads(value)["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(features, dict) or not 0 < len(features) <= MOST_FEATURES:
        return None
    if any(FEATURE_NAME.fullmatch(name) is None for name in features):
        return None
    return list(features)


def _parameters(expected: list[str]) -> dict[str, Any]:
    transaction = {name: type_ for name, (type_, _) in _TRANSACTION.items()}
    rest: dict[str, Any] = {name: type_ for name, (type_, _) in _REST.items()}
    rest[_RULES_FIRED] = ["VARCHAR"]
    rest["source"] = {name: type_ for name, (type_, _) in _SOURCE.items()}
    paths = [*_REST, *(f"source.{name}" for name in _SOURCE), _RULES_FIRED]
    return {
        "transaction_spec": json.dumps(transaction),
        "rest_spec": json.dumps(rest),
        "features_spec": json.dumps(dict.fromkeys(expected, "DOUBLE")),
        "transaction_paths": [f"$.{name}" for name in _TRANSACTION],
        "rest_paths": [f"$.{name}" for name in paths],
        "rest_keys": _REST_KEYS,
        "source_keys": list(_SOURCE),
        "time_shape": _TIME_SHAPE,
        "control": CONTROL.pattern,
        "features": len(expected),
    }


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
