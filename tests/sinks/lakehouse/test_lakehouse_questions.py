"""Views and ready questions over a history small enough to work out by hand."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from decision_records import collect, decision_value, decisions_table

from pipelines.errors import TerminalError
from sinks.lakehouse.ledger import Ledger
from sinks.lakehouse.position import Position
from sinks.lakehouse.query import open_lake
from sinks.lakehouse.questions import Parameter, find_question, read_question, ready_questions
from sinks.lakehouse.rows import decode_rows
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


@pytest.fixture
def history(catalog: Catalog) -> None:
    decisions_table(catalog)
    values = [decision_value(transaction, **members) for transaction, members in HISTORY]
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


def store(catalog: Catalog, table: LakeTable, values: list[bytes]) -> None:
    decoded = decode_rows(table, collect(*values))
    assert decoded.refused == ()
    position = Position(
        cluster_id="c",
        topic_id="t",
        topic=table.name,
        next_offsets={0: len(values)},
        dead_letters=0,
    )
    Ledger(catalog.load_table(("fraud", table.name))).commit(decoded.rows, position)


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


@pytest.mark.usefixtures("history")
def test_a_label_is_what_was_known_at_the_moment_that_is_asked_for(lake_settings: Settings) -> None:
    question = "select transaction_id, is_duplicate, label from decisions_labelled order by all"

    def on(day: int) -> datetime:
        return datetime(2026, 3, day, tzinfo=UTC)

    assert ask(lake_settings, question) == [
        ("t-1", False, None),
        ("t-2", False, "fraud"),
        ("t-2", True, None),
        ("t-4", False, "fraud"),
        ("t-5", False, "genuine"),
    ]
    known = {
        day: [row[2] for row in ask(lake_settings, question, known_at=on(day))]
        for day in (2, 3, 4, 5)
    }
    assert known == {
        2: [None, None, None, None, None],
        3: [None, "genuine", None, None, None],
        4: [None, "genuine", None, None, "genuine"],
        5: [None, "fraud", None, None, "genuine"],
    }
    inside = "select count(is_fraud) from labelled_at(TIMESTAMPTZ '2026-03-04')"
    assert ask(lake_settings, inside) == [(2,)]


@pytest.mark.usefixtures("history")
def test_alerts_are_counted_by_day_and_band(lake_settings: Settings) -> None:
    rows = ask(
        lake_settings,
        "select day::varchar, band, alerts, decisions, cards, money from alerts_by_day order by 1",
    )

    assert rows == [
        ("2026-03-01", "block", 1, 1, 1, Decimal("200.00")),
        ("2026-03-02", "review", 1, 1, 1, Decimal("30.00")),
    ]


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


@pytest.mark.usefixtures("history")
def test_the_audit_sees_a_record_that_was_decided_twice(
    lake_settings: Settings, catalog: Catalog
) -> None:
    def audit() -> dict[str, tuple[Any, ...]]:
        rows = run(lake_settings, "exactly_once")
        return {
            row["table_name"]: (row["records"], row["twice"], row["decided_twice"]) for row in rows
        }

    # All decisions of this history have the same source, but for the audit of Kafka they differ.
    assert audit() == {"decisions": (5, 0, 4), "labels": (5, 0, None), "dead_letters": (0, 0, None)}
    table = catalog.load_table("fraud.labels")
    table.append(table.scan().to_arrow().slice(0, 1))
    assert audit()["labels"] == (6, 1, None)


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("name", [question.name for question in ready_questions()])
def test_each_ready_question_can_be_asked(lake_settings: Settings, name: str) -> None:
    given = {"card": "c-2"} if name == "card_timeline" else {}
    rows = run(lake_settings, name, **given)

    assert len(rows) <= 100
    if name == "card_timeline":
        assert [row["base_amount"] for row in rows] == [Decimal("30.00"), Decimal("70.00")]


def test_every_ready_question_says_what_it_is_for_and_declares_what_it_takes() -> None:
    for question in ready_questions():
        assert question.purpose.endswith((".", "?")), question.name
        body = "\n".join(line for line in question.sql.splitlines() if not line.startswith("--"))
        used = set(re.findall(r"\$([a-z_]+)", body))
        assert used == {one.name for one in question.parameters}, question.name


def test_a_question_is_read_from_its_first_lines() -> None:
    question = read_question(
        "q", "-- Why.\n-- $since time = 2026-03-01  From when.\n-- $who text  Who.\n\nSELECT $since"
    )

    assert question.purpose == "Why."
    assert question.parameters == (
        Parameter(name="since", type="time", default="2026-03-01", about="From when."),
        Parameter(name="who", type="text", default=None, about="Who."),
    )
    assert question.bind({"who": "me"}) == {
        "since": datetime(2026, 3, 1, tzinfo=UTC),
        "who": "me",
    }
    with pytest.raises(TerminalError, match="q needs who: --set who="):
        question.bind({})


@pytest.mark.usefixtures("history")
def test_what_iceberg_knows_can_be_asked(lake_settings: Settings) -> None:
    snapshots = "select table_name, made_by, added_rows, total_rows from meta.snapshots order by 1"
    positions = (
        "select table_name, topic, kafka_partition, next_offset from meta.positions order by 1"
    )
    files = "select table_name, partition, sum(rows)::int from meta.files group by all order by all"

    assert ask(lake_settings, snapshots) == [
        ("decisions", "sink", 5, 5),
        ("labels", "sink", 5, 5),
    ]
    assert ask(lake_settings, positions) == [
        ("decisions", "decisions", 0, 5),
        ("labels", "labels", 0, 5),
    ]
    assert ask(lake_settings, files) == [
        ("decisions", "event_time_day=2026-03-01", 3),
        ("decisions", "event_time_day=2026-03-02", 2),
        ("labels", "label_time_day=2026-03-03", 1),
        ("labels", "label_time_day=2026-03-04", 2),
        ("labels", "label_time_day=2026-03-05", 1),
        ("labels", "label_time_day=2026-03-09", 1),
    ]
    assert ask(lake_settings, "select count(*) from meta.manifests") == [(2,)]


@pytest.mark.usefixtures("history")
def test_ordinary_questions_read_no_metadata(
    lake_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("sinks.lakehouse.metadata_views._read", refuse)

    question = "select count(*), 'meta.files' as text from decisions"
    assert ask(lake_settings, question) == [(5, "meta.files")]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("name", ['"meta".files', 'META."Files"', "memory.meta.files"])
def test_metadata_is_found_however_its_name_is_written(lake_settings: Settings, name: str) -> None:
    assert ask(lake_settings, f"select sum(rows)::int from {name}") == [(10,)]
