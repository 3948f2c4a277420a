"""Decision v1: what the job decided on one record of ``transactions``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.contracts.fields import CURRENCY, HASH, Fields
from pipelines.contracts.json_text import RawJson, read_object, read_raw_members, write_object
from pipelines.contracts.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

BANDS = ("allow", "review", "block")
RULESET = re.compile(r"[a-z0-9_]+@[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The place of a record in Kafka."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision; ``transaction`` is the original object, byte for byte."""

    decision_id: str
    transaction: bytes
    base_amount: Decimal
    base_currency: str
    features: Mapping[str, float | None]
    score: float
    band: str
    rules_fired: tuple[str, ...]
    ruleset: str
    model: str | None
    is_late: bool
    is_duplicate: bool
    duplicate_of_offset: int | None
    previous_transaction_id: str | None
    source: Source
    decided_at_ms: int
    alert_id: str | None


def parse_decision(value: bytes | None) -> Decision:
    """The decision in a record's value, or ContractFault."""
    return _read(Fields(read_object(value)), read_raw_members(value))


def read_decision(raw: str) -> Decision:
    """The decision in a piece of JSON text, as an alert carries one."""
    return parse_decision(raw.encode())


def encode_decision(decision: Decision) -> bytes:
    """Compact JSON in the order of the schema; the transaction's bytes stand in it unchanged."""
    return write_object(
        {
            "decision_id": decision.decision_id,
            "transaction": RawJson(decision.transaction.decode()),
            "base_amount": decision.base_amount,
            "base_currency": decision.base_currency,
            "features": dict(decision.features),
            "score": decision.score,
            "band": decision.band,
            "rules_fired": list(decision.rules_fired),
            "ruleset": decision.ruleset,
            "model": decision.model,
            "is_late": decision.is_late,
            "is_duplicate": decision.is_duplicate,
            "duplicate_of_offset": decision.duplicate_of_offset,
            "previous_transaction_id": decision.previous_transaction_id,
            "source": {
                "topic": decision.source.topic,
                "partition": decision.source.partition,
                "offset": decision.source.offset,
            },
            "decided_at": format_time(decision.decided_at_ms),
            "alert_id": decision.alert_id,
        }
    )


def _read(record: Fields, raw: Mapping[str, str]) -> Decision:
    record.inner("transaction")
    return Decision(
        decision_id=record.code("decision_id", HASH, "32 hexadecimal digits"),
        transaction=raw["transaction"].encode(),
        base_amount=record.number("base_amount"),
        base_currency=record.code("base_currency", CURRENCY, "three capital letters (ISO 4217)"),
        features=_read_features(record.inner("features")),
        score=float(record.number("score", least=0)),
        band=record.choice("band", BANDS),
        rules_fired=tuple(_read_rule_ids(record)),
        ruleset=record.code("ruleset", RULESET, "id@hash"),
        model=record.text_or_none("model"),
        is_late=record.boolean("is_late"),
        is_duplicate=record.boolean("is_duplicate"),
        duplicate_of_offset=record.integer_or_none("duplicate_of_offset"),
        previous_transaction_id=record.text_or_none("previous_transaction_id"),
        source=_read_source(record.inner("source")),
        decided_at_ms=record.time("decided_at"),
        alert_id=record.code_or_none("alert_id", HASH, "32 hexadecimal digits"),
    )


def _read_features(record: Fields) -> dict[str, float | None]:
    return {name: record.float_or_none(name) for name in record.members}


def _read_rule_ids(record: Fields) -> list[str]:
    listed: list[Any] = record.elements("rules_fired")
    numbered = Fields({str(at): rule for at, rule in enumerate(listed)}, path="rules_fired.")
    return [numbered.text(at) for at in numbered.members]


def _read_source(record: Fields) -> Source:
    return Source(
        topic=record.text("topic"),
        partition=record.integer("partition", least=0),
        offset=record.integer("offset", least=0),
    )
