"""Each ready question, over rows of which the answer can be worked out by hand."""

from __future__ import annotations

import dataclasses
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from decision_records import collect, decision_value, decisions_table
from small_history import HISTORY, position, run, source_at, store, store_history

from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.questions import ready_questions
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DEAD_LETTERS, DECISIONS, LABELS

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings


@pytest.fixture
def history(catalog: Catalog) -> None:
    store_history(catalog)


@pytest.mark.usefixtures("history")
def test_the_precision_of_rules_counts_each_decision_once(lake_settings: Settings) -> None:
    rows = run(lake_settings, "rule_precision")

    assert [
        (row["rule_id"], row["fires"], row["fraud"], row["genuine"], row["precision"])
        for row in rows
    ] == [("a", 2, 1, 1, 0.5), ("b", 2, 2, 0, 1.0)]
    assert [row["fraud_money"] for row in rows] == [Decimal("200.00"), Decimal("270.00")]


@pytest.mark.usefixtures("history")
def test_days_are_counted_from_the_newest_decision(lake_settings: Settings) -> None:
    assert [row["merchant_id"] for row in run(lake_settings, "top_merchants")] == ["m-1", "m-2"]
    rows = run(lake_settings, "top_merchants", days="1")
    assert [(row["merchant_id"], row["flagged"], row["flagged_percent"]) for row in rows] == [
        ("m-1", 2, 100.0),
        ("m-2", 1, 50.0),
    ]
    assert [
        row["rule_id"] for row in run(lake_settings, "noisy_rules", least="1", precision="1")
    ] == ["a"]


@pytest.mark.usefixtures("history")
def test_frauds_that_were_let_through_are_found(lake_settings: Settings) -> None:
    (row,) = run(lake_settings, "missed_frauds")

    assert (row["transaction_id"], row["rules_fired"]) == ("t-4", ["b"])


def audit(settings: Settings) -> dict[str, tuple[int, int, int | None]]:
    rows = run(settings, "exactly_once")
    return {row["table_name"]: (row["records"], row["twice"], row["decided_twice"]) for row in rows}


@pytest.mark.usefixtures("history")
def test_the_audit_sees_a_record_that_is_there_twice_or_was_decided_twice(
    lake_settings: Settings, catalog: Catalog
) -> None:
    none = {"decisions": (5, 0, 0), "labels": (5, 0, None), "dead_letters": (0, 0, None)}
    assert audit(lake_settings) == none

    labels = catalog.load_table("fraud.labels")
    labels.append(labels.scan().to_arrow().slice(0, 1))
    again = decision_value(HISTORY[0][0], source=source_at(0), **HISTORY[0][1])
    rows = decode_rows(DECISIONS, collect(again, offset=5)).rows
    decisions = catalog.load_table("fraud.decisions")
    Ledger(decisions).commit(rows, position(DECISIONS, 6))

    assert audit(lake_settings) == {
        "decisions": (6, 0, 1),
        "labels": (6, 1, None),
        "dead_letters": (0, 0, None),
    }
    decisions.append(decisions.refresh().scan().to_arrow().slice(0, 1))
    assert audit(lake_settings)["decisions"] == (7, 1, 2)


@pytest.mark.usefixtures("history")
def test_the_audit_takes_a_topic_that_was_made_again_for_a_new_one(
    lake_settings: Settings, catalog: Catalog
) -> None:
    """It counts from 0 again, so places alone raised a false alarm after --accept-gap."""
    other = {"transaction_id": "t-9", "event_time": "2026-03-02T11:00:00Z"}
    rows = decode_rows(DECISIONS, collect(decision_value(other, source=source_at(0)))).rows
    made_again = dataclasses.replace(position(DECISIONS, 1), topic_id="topic-2")
    Ledger(catalog.load_table("fraud.decisions")).commit(rows, made_again)

    assert audit(lake_settings)["decisions"] == (6, 0, 0)


@pytest.mark.usefixtures("history")
def test_the_share_of_each_band_is_of_its_own_day_and_repeats_do_not_count(
    lake_settings: Settings,
) -> None:
    rows = run(lake_settings, "band_share")

    assert [
        (str(row["day"]), row["band"], row["decisions"], row["percent"], row["money"])
        for row in rows
    ] == [
        ("2026-03-02", "allow", 1, 50.0, Decimal(70)),
        ("2026-03-02", "review", 1, 50.0, Decimal(30)),
        ("2026-03-01", "allow", 1, 50.0, Decimal(10)),
        ("2026-03-01", "block", 1, 50.0, Decimal(200)),
    ]


@pytest.mark.usefixtures("history")
def test_what_a_card_did_is_shown_newest_first(lake_settings: Settings) -> None:
    rows = run(lake_settings, "card_timeline", card="c-2")

    assert [(row["event_time"].hour, row["base_amount"], row["band"]) for row in rows] == [
        (10, Decimal(30), "review"),
        (9, Decimal(70), "allow"),
    ]
    assert len(run(lake_settings, "card_timeline", card="c-1", limit="2")) == 2


@pytest.mark.usefixtures("history")
def test_the_delay_of_labels_is_counted_from_the_transaction(lake_settings: Settings) -> None:
    # From noon less an hour: genuine after 37 and 61 hours; fraud after 61, 85 and 181.
    assert run(lake_settings, "label_delay") == [
        {
            "source": "chargeback",
            "label": "fraud",
            "labels": 3,
            "p50_days": 3.54,
            "p90_days": 6.74,
            "longest_days": 7.54,
        },
        {
            "source": "chargeback",
            "label": "genuine",
            "labels": 2,
            "p50_days": 2.04,
            "p90_days": 2.44,
            "longest_days": 2.54,
        },
    ]
    assert [row["labels"] for row in run(lake_settings, "label_delay", days="1")] == [1]


def test_the_delay_of_decisions_is_shown_by_hour(lake_settings: Settings, catalog: Catalog) -> None:
    # Decided 100, 200 and 400 ms after the event; in Kafka at 12:00:02, by collect().
    decisions_table(catalog)
    values = [
        decision_value(
            {"event_time": f"2026-03-01T12:00:0{second}.000Z"},
            decided_at=f"2026-03-01T12:00:0{second}.{delay}Z",
            is_late=delay == 400,
        )
        for second, delay in enumerate((100, 200, 400))
    ]
    values.append(decision_value(decided_at="2026-03-01T11:59:59.123Z"))
    store(catalog, DECISIONS, values)

    newest, before = run(lake_settings, "decision_delay")

    assert (newest["hour"].hour, newest["decisions"], newest["late"]) == (12, 3, 1)
    assert (newest["decided_p50_ms"], newest["decided_p99_ms"]) == (200.0, 396.0)
    # Stored 1900, 800 and -400 ms later.
    assert newest["written_p99_ms"] == 1878.0
    assert (before["hour"].hour, before["decisions"], before["decided_p50_ms"]) == (11, 1, -1000.0)
    assert len(run(lake_settings, "decision_delay", hours="0")) == 0


def test_runs_of_declines_are_found_by_card_and_hour(
    lake_settings: Settings, catalog: Catalog
) -> None:
    decisions_table(catalog)
    declined = [("c-1", 10, 5), ("c-1", 20, 7), ("c-1", 50, 9), ("c-2", 10, 1), ("c-2", 20, 1)]
    values = [
        decision_value(
            {
                "transaction_id": f"t-{card}-{minute}",
                "event_time": f"2026-03-01T10:{minute}:00Z",
                "card_id": card,
                "merchant_id": f"m-{minute}",
                "status": "declined",
            },
            base_amount=amount,
            band="allow" if amount < 9 else "review",
            is_duplicate=card == "c-2" and minute == 20,
        )
        for card, minute, amount in declined
    ]
    values.append(decision_value({"status": "approved"}))
    store(catalog, DECISIONS, values)

    (row,) = run(lake_settings, "decline_runs", least="2")

    assert (row["card_id"], row["hour"].hour, row["declines"], row["merchants"]) == (
        "c-1",
        10,
        3,
        3,
    )
    assert (row["smallest"], row["largest"], row["was_flagged"]) == (Decimal(5), Decimal(9), True)
    assert run(lake_settings, "decline_runs", least="4") == []


def test_devices_of_many_cards_are_found(lake_settings: Settings, catalog: Catalog) -> None:
    decisions_table(catalog)
    used = [
        ("d-1", "c-1", "u-1"),
        ("d-1", "c-2", "u-1"),
        ("d-1", "c-2", "u-2"),
        ("d-2", "c-3", "u"),
    ]
    values = [
        decision_value(
            {"device_id": device, "card_id": card, "customer_id": customer},
            base_amount=10,
            band="block" if customer == "u-2" else "allow",
        )
        for device, card, customer in used
    ]
    values.append(decision_value({"card_id": "c-9"}))  # without a device
    store(catalog, DECISIONS, values)

    assert run(lake_settings, "shared_devices", cards="2") == [
        {
            "device_id": "d-1",
            "cards": 2,
            "customers": 2,
            "decisions": 3,
            "flagged": 1,
            "money": Decimal(30),
        }
    ]


def test_merchants_whose_frauds_rose_are_found(lake_settings: Settings, catalog: Catalog) -> None:
    # m-1: of two before none, of two in the last week one. m-2: one and one, both frauds.
    decisions_table(catalog)
    seen = [
        ("t-1", "m-1", "2026-03-01", "genuine"),
        ("t-2", "m-1", "2026-03-02", "genuine"),
        ("t-3", "m-1", "2026-03-20", "fraud"),
        ("t-4", "m-1", "2026-03-20", "genuine"),
        ("t-5", "m-2", "2026-03-02", "fraud"),
        ("t-6", "m-2", "2026-03-20", "fraud"),
        ("t-7", "m-3", "2026-03-20", None),
    ]
    store(
        catalog,
        DECISIONS,
        [
            decision_value(
                {
                    "transaction_id": transaction,
                    "merchant_id": merchant,
                    "event_time": f"{day}T12:00:00Z",
                }
            )
            for transaction, merchant, day, _ in seen
        ],
    )
    labels = [
        {
            "transaction_id": transaction,
            "card_id": "c-1",
            "merchant_id": merchant,
            "event_time": f"{day}T12:00:00Z",
            "label": label,
            "source": "chargeback",
            "label_time": "2026-03-25T00:00:00Z",
        }
        for transaction, merchant, day, label in seen
        if label is not None
    ]
    store(catalog, LABELS, [json.dumps(label).encode() for label in labels])

    rows = run(lake_settings, "fraud_by_merchant", least="1")

    assert [tuple(row.values()) for row in rows] == [
        ("m-1", 2, 0.5, 0.0, 0.5),
        ("m-2", 1, 1.0, 1.0, 0.0),
    ]
    assert [row["merchant_id"] for row in run(lake_settings, "fraud_by_merchant", least="2")] == [
        "m-1"
    ]


def test_dead_letters_are_counted_by_where_and_why(
    lake_settings: Settings, catalog: Catalog
) -> None:
    decisions_table(catalog)
    create_table(catalog, lake_settings.lakehouse, DEAD_LETTERS)
    letters = [
        {
            "stage": "decode",
            "reason": reason,
            "detail": f"the {number}.",
            "original": "eA==",
            "topic": "transactions",
            "partition": 0,
            "offset": offset,
            "failed_at": f"2026-03-0{number}T12:00:00Z",
        }
        for number, reason, offset in (
            (1, "not_json", 4),
            (2, "not_json", 5),
            (2, "not_json", 5),  # written twice by a sink that died: one letter
            (3, "missing", 6),
        )
    ]
    store(catalog, DEAD_LETTERS, [json.dumps(letter).encode() for letter in letters])

    rows = run(lake_settings, "dead_letters_by_reason")

    assert [
        (row["reason"], row["letters"], row["first"].day, row["last"].day, row["newest_detail"])
        for row in rows
    ] == [("not_json", 2, 1, 2, "the 2."), ("missing", 1, 3, 3, "the 3.")]
    recent = run(lake_settings, "dead_letters_by_reason", days="1")
    assert [row["reason"] for row in recent] == ["missing"]


def test_every_ready_question_has_a_test_of_its_own() -> None:
    files = Path(__file__).parent.glob("test_lakehouse_*_questions.py")
    here = "".join(file.read_text(encoding="utf-8") for file in files)

    for question in ready_questions():
        assert re.search(
            rf'run\(lake_settings, "{question.name}"|run\(settings, "{question.name}"', here
        ), question.name
