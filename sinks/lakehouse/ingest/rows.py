"""Record by record into rows: strict as the contracts are, exact in money, and slow.

Labels and dead letters come this way, being few. Decisions do so where the fast way
(``decisions.py``) is not sure of a record; what this module says about a record is what counts.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.contracts.dead_letter import parse_dead_letter
from pipelines.contracts.decision import parse_decision
from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.label import parse_label
from pipelines.contracts.transaction import FIELD_NAMES, parse_transaction
from sinks.lakehouse.ingest.records import Decoded, Records, Refused
from sinks.lakehouse.tables import (
    DEAD_LETTERS,
    DECISIONS,
    FEATURE_NAME,
    FEATURES,
    LABELS,
    MOST_FEATURES,
    LakeTable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AMOUNT_PLACES = 4
BASE_AMOUNT_PLACES = 2
MONEY_DIGITS = 18
_COPIED = tuple(
    column.name
    for column in DECISIONS.columns
    if column.name in FIELD_NAMES and column.name not in {"event_time", "amount"}
)
"""What the contract of the transaction and the table call the same, and hold alike."""
Row = dict[str, Any]


def decode_rows(table: LakeTable, records: Records) -> Decoded:
    """Every record as a row of ``table`` or as a refusal that says what is wrong with it."""
    read = _READERS[table.name]
    rows: list[Row] = []
    refused: list[Refused] = []
    for at, value in enumerate(records.values):
        partition, offset = records.partitions[at], records.offsets[at]
        try:
            row = read(value)
        except ContractFault as fault:
            one = Refused(
                value=value,
                partition=partition,
                offset=offset,
                reason=fault.reason.value,
                detail=fault.detail,
            )
            refused.append(one)
        else:
            row["kafka_partition"] = partition
            row["kafka_offset"] = offset
            row["kafka_time"] = _time(records.times_ms[at])
            rows.append(row)
    blocks = (pa.Table.from_pylist(rows, schema=_schema(table, rows)),) if rows else ()
    return Decoded(rows=blocks, refused=tuple(refused))


def _schema(table: LakeTable, rows: list[Row]) -> pa.Schema:
    schema = table.arrow_schema()
    names = dict.fromkeys(name for row in rows for name in row.get(FEATURES, ()))
    if names:
        struct = pa.struct([pa.field(name, pa.float64()) for name in names])
        schema = schema.append(pa.field(FEATURES, struct))
    return schema


def _read_decision(value: bytes | None) -> Row:
    decision = parse_decision(value)
    transaction = parse_transaction(decision.transaction, currencies=_Anything())
    _check_features(decision.features)
    return {
        **{name: getattr(transaction, name) for name in _COPIED},
        "decision_id": decision.decision_id,
        "event_time": _time(transaction.event_time_ms),
        "amount": _money("amount", transaction.amount, AMOUNT_PLACES),
        "base_amount": _money("base_amount", decision.base_amount, BASE_AMOUNT_PLACES),
        "base_currency": decision.base_currency,
        "transaction": decision.transaction.decode(),
        "score": decision.score,
        "band": decision.band,
        "rules_fired": list(decision.rules_fired),
        "ruleset": decision.ruleset,
        "model": decision.model,
        "is_late": decision.is_late,
        "is_duplicate": decision.is_duplicate,
        "duplicate_of_offset": _integer("duplicate_of_offset", decision.duplicate_of_offset, 64),
        "previous_transaction_id": decision.previous_transaction_id,
        "decided_at": _time(decision.decided_at_ms),
        "alert_id": decision.alert_id,
        "source_topic": decision.source.topic,
        "source_partition": _integer("source.partition", decision.source.partition, 32),
        "source_offset": _integer("source.offset", decision.source.offset, 64),
        FEATURES: dict(decision.features),
    }


def _read_label(value: bytes | None) -> Row:
    label = parse_label(value)
    return {
        "transaction_id": label.transaction_id,
        "card_id": label.card_id,
        "merchant_id": label.merchant_id,
        "event_time": _time(label.event_time_ms),
        "label": label.label,
        "source": label.source,
        "reason": label.reason,
        "device_id": label.device_id,
        "label_time": _time(label.label_time_ms),
        "record": (value or b"").decode(),
    }


def _read_dead_letter(value: bytes | None) -> Row:
    letter = parse_dead_letter(value)
    return {
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "original": letter.original,
        "source_topic": letter.topic,
        "source_partition": _integer("partition", letter.partition, 32),
        "source_offset": _integer("offset", letter.offset, 64),
        "failed_at": _time(letter.failed_at_ms),
    }


_READERS: Mapping[str, Callable[[bytes | None], Row]] = {
    DECISIONS.name: _read_decision,
    LABELS.name: _read_label,
    DEAD_LETTERS.name: _read_dead_letter,
}


class _Anything:
    """Every currency: which ones have a rate was the job's question, at the time."""

    def __contains__(self, item: object) -> bool:
        return True


def _check_features(features: Mapping[str, float | None]) -> None:
    for name in features:
        if FEATURE_NAME.fullmatch(name) is None:
            msg = f"features.{name[:40]!a} cannot be a column - must match {FEATURE_NAME.pattern}"
            raise ContractFault(FaultReason.BAD_FORMAT, msg)
    if len(features) > MOST_FEATURES:
        msg = f"there are {len(features)} features - a table holds up to {MOST_FEATURES}"
        raise ContractFault(FaultReason.OUT_OF_RANGE, msg)


def _money(name: str, value: Decimal, places: int) -> Decimal:
    """``value`` rounded half to even; the exact text stays in the transaction."""
    limit = Decimal(10) ** (MONEY_DIGITS - places)
    if value.is_finite() and abs(value) < limit:
        rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
        if abs(rounded) < limit:
            return rounded
    msg = f"{name} is {str(value)[:40]} - the table holds less than {limit}"
    raise ContractFault(FaultReason.OUT_OF_RANGE, msg)


def _integer(name: str, value: int | None, bits: int) -> int | None:
    limit = 1 << (bits - 1)
    if value is not None and not -limit <= value < limit:
        msg = f"{name} is {value} - the table holds {bits} bits"
        raise ContractFault(FaultReason.OUT_OF_RANGE, msg)
    return value


def _time(time_ms: int) -> int:
    return time_ms * 1000
