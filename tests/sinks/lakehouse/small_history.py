"""A history small enough to work out by hand, and how it is stored and asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from decision_records import collect, decision_value, decisions_table

from pipelines.settings import LakehouseSettings
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.questions import find_question
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DECISIONS, LABELS

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings
    from sinks.lakehouse.tables import LakeTable

# Five transactions of two cards on two days. t-3 is a repeat of t-2. t-2 turned out to be a fraud,
# after it had been called genuine; t-4 was let through and is a fraud, known later still.
HISTORY: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"transaction_id": "t-1", "event_time": "2026-03-01T10:00:00Z", "amount": 10},
        {"base_amount": 10, "band": "allow", "rules_fired": []},
    ),
    (
        {"transaction_id": "t-2", "event_time": "2026-03-01T11:00:00Z", "amount": 200},
        {"base_amount": 200, "band": "block", "rules_fired": ["a", "b"], "alert_id": "1" * 32},
    ),
    (
        {"transaction_id": "t-2", "event_time": "2026-03-01T11:00:00Z", "amount": 200},
        {
            "base_amount": 200,
            "band": "block",
            "rules_fired": ["a", "b"],
            "is_duplicate": True,
            "duplicate_of_offset": 1,
        },
    ),
    (
        {
            "transaction_id": "t-4",
            "event_time": "2026-03-02T09:00:00Z",
            "card_id": "c-2",
            "merchant_id": "m-2",
            "amount": 70,
        },
        {"base_amount": 70, "band": "allow", "rules_fired": ["b"]},
    ),
    (
        {
            "transaction_id": "t-5",
            "event_time": "2026-03-02T10:00:00Z",
            "card_id": "c-2",
            "merchant_id": "m-2",
            "amount": 30,
        },
        {"base_amount": 30, "band": "review", "rules_fired": ["a"], "alert_id": "2" * 32},
    ),
]
LABELS_SEEN = [
    ("t-2", "c-1", "genuine", "2026-03-03T00:00:00Z"),
    ("t-2", "c-1", "fraud", "2026-03-05T00:00:00Z"),
    ("t-4", "c-2", "fraud", "2026-03-09T00:00:00Z"),
    ("t-5", "c-2", "genuine", "2026-03-04T00:00:00Z"),
    ("t-1", "c-9", "fraud", "2026-03-04T00:00:00Z"),  # of another card: no label of ours
]


def store_history(catalog: Catalog) -> None:
    """The decisions, and the labels that came later."""
    decisions_table(catalog)
    values = [
        decision_value(transaction, source=source_at(offset), **members)
        for offset, (transaction, members) in enumerate(HISTORY)
    ]
    store(catalog, DECISIONS, values)
    labels = [
        {
            "transaction_id": transaction,
            "card_id": card,
            "merchant_id": "m-1",
            "event_time": "2026-03-01T11:00:00Z",
            "label": label,
            "source": "chargeback",
            "label_time": moment,
        }
        for transaction, card, label, moment in LABELS_SEEN
    ]
    store(catalog, LABELS, [json.dumps(label).encode() for label in labels])


def source_at(offset: int) -> dict[str, Any]:
    return {"topic": "transactions", "partition": 0, "offset": offset}


def store(catalog: Catalog, table: LakeTable, values: list[bytes]) -> None:
    decoded = decode_rows(table, collect(*values))
    assert decoded.refused == ()
    ledger = Ledger(create_table(catalog, LakehouseSettings(), table))
    ledger.commit(decoded.rows, position(table, len(values)))


def position(table: LakeTable, offset: int) -> Position:
    return Position(
        cluster_id="c", topic_id="t", topic=table.name, next_offsets={0: offset}, dead_letters=0
    )


def ask(settings: Settings, question: str, **options: Any) -> list[tuple[Any, ...]]:
    with open_lake(settings, **options) as lake:
        return lake.ask(question, limit=1000).rows


def run(settings: Settings, name: str, **given: str) -> list[dict[str, Any]]:
    question = find_question(name)
    with open_lake(settings) as lake:
        answer = lake.ask(question.sql, question.bind(given), limit=1000)
    return [
        dict(zip((name for name, _ in answer.columns), row, strict=True)) for row in answer.rows
    ]
