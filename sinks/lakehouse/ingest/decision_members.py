"""The members of a decision's JSON that become columns, and the JSON types that each may have.

Both follow from the table's own columns: a column that the transaction's contract knows is read
from the transaction, any other from what the job added. Only the layout of that is written here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg.types import (
    BooleanType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestamptzType,
)

from pipelines.contracts.fields import CONTROL
from pipelines.contracts.transaction import FIELD_NAMES
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyiceberg.types import IcebergType

    from sinks.lakehouse.tables import Column

_NUMBER = frozenset({"UBIGINT", "BIGINT", "DOUBLE"})
_TEXT = frozenset({"VARCHAR"})
_COUNT = frozenset({"UBIGINT"})
_NULL = frozenset({"NULL"})
_ARRAY = frozenset({"ARRAY"})

_READ_AS: Mapping[type[IcebergType], tuple[str, frozenset[str]]] = {
    StringType: ("VARCHAR", _TEXT),
    TimestamptzType: ("VARCHAR", _TEXT),
    DecimalType: ("DOUBLE", _NUMBER),
    DoubleType: ("DOUBLE", _NUMBER),
    IntegerType: ("UBIGINT", _COUNT),
    LongType: ("UBIGINT", _COUNT),
    BooleanType: ("BOOLEAN", frozenset({"BOOLEAN"})),
}
"""By the type of the column, what DuckDB makes of the member, and what it may be in the JSON."""
_RULES_FIRED, _SOURCE = "rules_fired", "source"
_REST_KEYS = (
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
    _SOURCE,
    "decided_at",
    "alert_id",
)
"""The members of a decision but for its id, transaction and features, in the encoder's order."""
_SOURCE_KEYS = ("topic", "partition", "offset")
# As the contract has it, without the hours and days that there are not.
_TIME_SHAPE = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?"
    "(Z|[+]00:00)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member: where it stands, how DuckDB reads it, and which JSON types are right."""

    path: str
    type: str
    allowed: frozenset[str]


_COLUMNS = {column.name: column for column in DECISIONS.columns}


def _member(path: str, column: Column) -> Member:
    type_, allowed = _READ_AS[type(column.type)]
    return Member(path=path, type=type_, allowed=allowed if column.required else allowed | _NULL)


TRANSACTION = tuple(_member(name, _COLUMNS[name]) for name in FIELD_NAMES if name in _COLUMNS)
_REST = tuple(
    _member(name, _COLUMNS[name]) for name in _REST_KEYS if name not in {_RULES_FIRED, _SOURCE}
)
_PLACE = tuple(_member(f"{_SOURCE}.{name}", _COLUMNS[f"{_SOURCE}_{name}"]) for name in _SOURCE_KEYS)
_RULES = Member(path=_RULES_FIRED, type="VARCHAR[]", allowed=_ARRAY)

TRANSACTION_TYPES = [member.allowed for member in TRANSACTION]
REST_TYPES = [member.allowed for member in (*_REST, *_PLACE, _RULES)]


def query_parameters(features: Sequence[str]) -> dict[str, Any]:
    """What ``decode_decisions.sql`` is told, for decisions with these features."""
    rest: dict[str, Any] = _spec(_REST)
    rest[_RULES_FIRED] = ["VARCHAR"]
    rest[_SOURCE] = dict(zip(_SOURCE_KEYS, (member.type for member in _PLACE), strict=True))
    return {
        "transaction_spec": json.dumps(_spec(TRANSACTION)),
        "rest_spec": json.dumps(rest),
        "features_spec": json.dumps(dict.fromkeys(features, "DOUBLE")),
        "transaction_paths": _paths(TRANSACTION),
        "rest_paths": _paths((*_REST, *_PLACE, _RULES)),
        "rest_keys": list(_REST_KEYS),
        "source_keys": list(_SOURCE_KEYS),
        "time_shape": _TIME_SHAPE,
        "control": CONTROL.pattern,
        "features": len(features),
    }


def _spec(members: Iterable[Member]) -> dict[str, str]:
    return {member.path: member.type for member in members}


def _paths(members: Iterable[Member]) -> list[str]:
    return [f"$.{member.path}" for member in members]
