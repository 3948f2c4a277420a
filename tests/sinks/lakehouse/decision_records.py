"""Decisions as the job writes them, and what the sink makes of them: blocks of rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.settings import LakehouseSettings
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.schema import apply_to_table, feature_names
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

TRANSACTION: dict[str, Any] = {
    "transaction_id": "t-1",
    "event_time": "2026-03-01T12:00:00.123Z",
    "card_id": "c-1",
    "customer_id": "u-1",
    "merchant_id": "m-1",
    "merchant_category": "5411",
    "amount": 12.3,
    "currency": "EUR",
    "channel": "pos",
}
DECISION: dict[str, Any] = {
    "decision_id": "0123456789abcdef0123456789abcdef",
    "transaction": None,
    "base_amount": 12.3,
    "base_currency": "EUR",
    "features": {"card_txn_count_10s": 2, "travel_kmh": None},
    "score": 0.75,
    "band": "review",
    "rules_fired": ["velocity", "large_amount"],
    "ruleset": "baseline@0123456789ab",
    "model": None,
    "is_late": False,
    "is_duplicate": False,
    "duplicate_of_offset": None,
    "previous_transaction_id": None,
    "source": {"topic": "transactions", "partition": 1, "offset": 41},
    "decided_at": "2026-03-01T12:00:01.500Z",
    "alert_id": None,
}


def decision_value(transaction: dict[str, Any] | str | None = None, **members: Any) -> bytes:
    """A decision record: ``transaction`` a dict or a text, other members by name."""
    text = (
        transaction
        if isinstance(transaction, str)
        else json.dumps({**TRANSACTION, **(transaction or {})}, separators=(",", ":"))
    )
    whole = json.dumps({**DECISION, **members}, separators=(",", ":"))
    return whole.replace('"transaction":null', f'"transaction":{text}', 1).encode()


def collect(*values: bytes | None, offset: int = 0) -> Records:
    """Values as records of partition 0, from ``offset`` on, at noon."""
    found = Records()
    for at, value in enumerate(values, start=offset):
        found.add(value=value, partition=0, offset=at, time_ms=1_772_366_402_000)
    return found


def decision_blocks(*changes: dict[str, Any], offset: int = 0) -> list[pa.Table]:
    """One row for each of ``changes``, which are members of a decision."""
    values = [decision_value(**members) for members in changes]
    return list(decode_rows(DECISIONS, collect(*values, offset=offset)).rows)


def at(offset: int, *, dead_letters: int = 0) -> Position:
    """The position behind so many records of partition 0."""
    return Position(
        cluster_id="cluster",
        topic_id="topic-1",
        topic="decisions",
        next_offsets={0: offset, 1: 0},
        dead_letters=dead_letters,
    )


def decisions_table(catalog: Catalog, *names: str) -> Table:
    """The table of decisions as it is now, made where it is missing, with these features.

    A new one has those of DECISION too.
    """
    known: list[str] = []
    if catalog.table_exists("fraud.decisions"):
        known = feature_names(catalog.load_table("fraud.decisions").schema())
    else:
        names = (*DECISION["features"], *names)
    missing = [name for name in names if name not in known]
    if missing:
        apply_to_table(catalog, LakehouseSettings(), DECISIONS, dict.fromkeys(missing, ""))
    return catalog.load_table("fraud.decisions")
