"""Labels and dead letters into rows, and tables as they are first made."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyiceberg.types import DecimalType, TimestamptzType

from pipelines.settings import LakehouseSettings
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DEAD_LETTERS, DECISIONS, LABELS, TABLES

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

Collect = Callable[..., Records]
LABEL = (
    '{"transaction_id": "t1", "card_id": "c1", "merchant_id": "m1", '
    '"event_time": "2026-03-01T12:00:00Z", "label": "fraud", "source": "chargeback", '
    '"case": 7, "device_id": "d1", "label_time": "2026-03-04T00:00:00.001Z"}'
)


def test_a_label_keeps_its_text_and_a_wrong_one_is_refused(records: Collect) -> None:
    wrong = LABEL.replace('"fraud"', '"maybe"').encode()

    decoded = decode_rows(LABELS, records(LABEL.encode(), wrong, offset=5))

    (row,) = decoded.rows[0].to_pylist()
    assert row == {
        "transaction_id": "t1",
        "card_id": "c1",
        "merchant_id": "m1",
        "event_time": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "label": "fraud",
        "source": "chargeback",
        "reason": None,
        "device_id": "d1",
        "label_time": datetime(2026, 3, 4, 0, 0, 0, 1000, UTC),
        "record": LABEL,
        "kafka_partition": 0,
        "kafka_offset": 5,
        "kafka_time": datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC),
    }
    assert [(one.offset, one.reason) for one in decoded.refused] == [(6, "unknown_value")]


def test_a_dead_letter_keeps_the_original_bytes_and_knows_a_tombstone(records: Collect) -> None:
    letter = {
        "stage": "decode",
        "reason": "not_json",
        "detail": "not JSON",
        "original": base64.b64encode(b"\xff{").decode(),
        "topic": "transactions",
        "partition": 3,
        "offset": 17,
        "failed_at": "2026-03-01T12:00:00Z",
    }
    tombstone = {**letter, "reason": "empty", "original": None}

    decoded = decode_rows(
        DEAD_LETTERS, records(json.dumps(letter).encode(), json.dumps(tombstone).encode(), b"?")
    )

    rows = decoded.rows[0].to_pylist()
    assert [row["original"] for row in rows] == [b"\xff{", None]
    assert (rows[0]["source_topic"], rows[0]["source_partition"], rows[0]["source_offset"]) == (
        "transactions",
        3,
        17,
    )
    assert [one.reason for one in decoded.refused] == ["not_json"]


def test_tables_are_made_once_split_by_day_and_say_what_their_columns_mean(
    catalog: Catalog,
) -> None:
    for table in (*TABLES, *TABLES):
        create_table(catalog, LakehouseSettings(), table)

    days = {}
    for table in TABLES:
        made = catalog.load_table(("fraud", table.name))
        days[table.name] = [
            (made.schema().find_column_name(split.source_id), str(split.transform))
            for split in made.spec().fields
        ]
        assert all(field.doc for field in made.schema().fields)
        assert made.properties["write.parquet.compression-level"] == "1"
        assert made.properties["comment"] == table.about
    assert days == {
        "decisions": [("event_time", "day")],
        "labels": [("label_time", "day")],
        "dead_letters": [("failed_at", "day")],
        "rulesets": [],
    }


def test_money_is_a_decimal_and_time_has_its_zone(catalog: Catalog) -> None:
    schema = create_table(catalog, LakehouseSettings(), DECISIONS).schema()

    assert schema.find_type("amount") == DecimalType(18, 4)
    assert schema.find_type("base_amount") == DecimalType(18, 2)
    assert schema.find_type("event_time") == TimestamptzType()
