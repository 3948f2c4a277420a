"""What the checks count in real tables, over histories small enough to count by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from decision_records import at, decision_blocks, decision_value, decisions_table

from pipelines.errors import SinkError
from sinks.lakehouse.heads import read_heads
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.schema import apply_changes
from sinks.lakehouse.sources import scan_sources
from sinks.lakehouse.tables import DECISIONS
from sinks.lakehouse.watch.behaviour import Behaviour, Counts, read_behaviour
from sinks.lakehouse.watch.columns import ColumnDifference, find_differences
from sinks.lakehouse.watch.doubles import find_doubles

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
STORED = datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC)
"""Kafka's time of every record that ``collect`` makes."""


def decided(days_ago: float, **members: Any) -> dict[str, Any]:
    moment = NOW - timedelta(days=days_ago)
    return {"decided_at": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z", **members}


def store(catalog: Catalog, *changes: dict[str, Any]) -> None:
    decisions_table(catalog)
    blocks = decision_blocks(*changes)
    Ledger(catalog.load_table("fraud.decisions")).commit(blocks, at(len(changes)))


def test_last_day_stands_beside_the_week_before_under_the_newest_rule_set(
    catalog: Catalog, lake_settings: Settings
) -> None:
    allow = {"band": "allow", "score": 0.0, "rules_fired": []}
    block = {"band": "block", "score": 0.9, "rules_fired": ["far", "odd"]}
    review = {"band": "review", "score": 0.45, "rules_fired": ["odd"]}
    store(
        catalog,
        decided(0.2, **allow),
        decided(0.5, **block),
        decided(0.9, **block, is_duplicate=True, duplicate_of_offset=1),  # decided once already
        decided(1.5, **allow),
        decided(7.9, **review),
        decided(8.1, **review),  # before the week
        decided(3, **review, ruleset="other@000000000000"),
    )

    found = read_behaviour(lake_settings, now=NOW)

    assert found == Behaviour(
        ruleset="baseline@0123456789ab",
        recent=Counts(
            decisions=2,
            bands={"allow": 1, "block": 1},
            scores={"0": 1, "9": 1},
            rules={"far": 1, "odd": 1},
        ),
        # 0.45 of at most 0.9: half way, the fifth and a half of nine.
        reference=Counts(
            decisions=2, bands={"allow": 1, "review": 1}, scores={"0": 1, "5": 1}, rules={"odd": 1}
        ),
    )


def test_nothing_decided_lately_is_nothing_and_no_tables_are_an_error(
    catalog: Catalog, lake_settings: Settings
) -> None:
    with pytest.raises(SinkError, match="no tables"):
        read_behaviour(lake_settings, now=NOW)
    store(catalog, decided(30))
    found = read_behaviour(lake_settings, now=NOW)
    assert found == Behaviour(ruleset=None, recent=Counts(), reference=Counts())


def test_transaction_that_is_stored_twice_is_named(
    catalog: Catalog, lake_settings: Settings
) -> None:
    places = [{"topic": "transactions", "partition": 0, "offset": offset} for offset in (4, 5, 5)]
    ids = ["a" * 32, "b" * 32, "b" * 32]
    store(
        catalog,
        *({"source": place, "decision_id": one} for place, one in zip(places, ids, strict=True)),
    )

    found = find_doubles(lake_settings, since=STORED - timedelta(minutes=1))

    assert (found.decisions, found.doubled, found.examples) == (3, 1, ("b" * 32,))
    later = find_doubles(lake_settings, since=STORED + timedelta(minutes=1))
    assert (later.decisions, later.doubled, later.examples) == (0, 0, ())


def test_transaction_is_stored_twice_also_when_its_first_row_is_old(
    catalog: Catalog, lake_settings: Settings
) -> None:
    old = [{"topic": "transactions", "partition": 0, "offset": offset} for offset in (4, 5)]
    store(
        catalog,
        {"source": old[0], "decision_id": "a" * 32},
        {"source": old[1], "decision_id": "b" * 32},
    )
    again = Records()
    value = decision_value(source=old[1], decision_id="b" * 32)
    later = STORED + timedelta(days=5)
    again.add(value=value, partition=0, offset=2, time_ms=round(later.timestamp() * 1000))
    Ledger(catalog.load_table("fraud.decisions")).commit(
        list(decode_rows(DECISIONS, again).rows), at(3)
    )

    found = find_doubles(lake_settings, since=later - timedelta(days=2))

    assert (found.decisions, found.doubled, found.examples) == (1, 1, ("b" * 32,))


def test_column_that_is_lacking_or_unknown_is_named(
    catalog: Catalog, lake_settings: Settings
) -> None:
    assert find_differences(lake_settings) is None
    apply_changes(catalog, lake_settings.lakehouse, {})
    assert find_differences(lake_settings) == []

    table = catalog.load_table("fraud.labels")
    with table.update_schema() as update:
        update.delete_column("device_id")
        update.add_column("mine", table.schema().find_type("card_id"))
    assert find_differences(lake_settings) == [
        ColumnDifference(table="labels", column="device_id", wrong="missing"),
        ColumnDifference(table="labels", column="mine", wrong="unknown"),
    ]


def test_sources_of_a_stretch_are_those_within_it(
    catalog: Catalog, lake_settings: Settings
) -> None:
    store(
        catalog,
        *(
            {"source": {"topic": "transactions", "partition": partition, "offset": offset}}
            for partition in (0, 1)
            for offset in range(10)
        ),
    )
    stretch = {0: range(2, 4), 1: range(9, 12), 2: range(0)}

    found = sorted(scan_sources(lake_settings, "decisions", within=stretch))

    assert found == [("transactions", 0, 2), ("transactions", 0, 3), ("transactions", 1, 9)]
    assert list(scan_sources(lake_settings, "decisions", within={0: range(0)})) == []
    assert len(list(scan_sources(lake_settings, "decisions"))) == 20


def test_head_of_a_table_says_how_much_there_is_and_how_far_the_sink_is(
    catalog: Catalog, lake_settings: Settings
) -> None:
    assert read_heads(lake_settings) == []
    store(catalog, decided(1), decided(2))
    (head,) = [one for one in read_heads(lake_settings) if one.table == "decisions"]
    snapshot = catalog.load_table("fraud.decisions").current_snapshot()
    assert snapshot is not None
    assert (head.table, head.rows, head.files) == ("decisions", 2, 1)
    assert head.snapshot_id == snapshot.snapshot_id
    assert head.next_offsets == {0: 2, 1: 0}
