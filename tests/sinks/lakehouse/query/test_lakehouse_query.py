"""SQL over the tables: right after every change of the schema, in the past, and when empty."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delete_files import delete_row
from pyiceberg.table import DataScan
from pyiceberg.types import DoubleType, LongType, StringType

from pipelines.errors import SinkError, TerminalError
from pipelines.settings import LakehouseSettings
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.query.plan import plan_table
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DEAD_LETTERS, DECISIONS, LABELS

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings

Build = Callable[..., bytes]
Collect = Callable[..., Records]


def at(offset: int) -> Position:
    return Position(
        cluster_id="c", topic_id="t", topic="decisions", next_offsets={0: offset}, dead_letters=0
    )


@pytest.fixture
def store(
    decisions_table: Callable[..., Table], decision: Build, records: Collect
) -> Callable[..., int]:
    """Store decisions in one commit; its snapshot."""
    count = 0

    def build(*changes: dict[str, Any]) -> int:
        nonlocal count
        values = [decision(**members) for members in changes]
        rows = decode_rows(DECISIONS, records(*values, offset=count)).rows
        count += len(changes)
        names = {name for members in changes for name in members.get("features", {})}
        ledger = Ledger(decisions_table(*sorted(names)))
        ledger.commit(rows, at(count))
        snapshot = ledger.table.current_snapshot()
        assert snapshot is not None
        return snapshot.snapshot_id

    return build


def ask(settings: Settings, question: str, **options: Any) -> list[tuple[Any, ...]]:
    with open_lake(settings, **options) as lake:
        return lake.ask(question, limit=1000).rows


def test_a_question_is_answered_from_all_files(
    lake_settings: Settings, store: Callable[..., int]
) -> None:
    store({"band": "review"}, {"band": "block"})
    store({"band": "block", "features": {"new": 4}})

    assert ask(lake_settings, "select band, count(*) from decisions group by 1 order by 1") == [
        ("block", 2),
        ("review", 1),
    ]
    assert ask(lake_settings, "select features.new from decisions order by kafka_offset") == [
        (None,),
        (None,),
        (4.0,),
    ]


def test_each_rule_that_fired_is_a_row(lake_settings: Settings, store: Callable[..., int]) -> None:
    store({"rules_fired": ["a", "b"]}, {"rules_fired": []}, {"rules_fired": ["b"]})

    question = "select rule_id, count(*) from rule_fires group by 1 order by 1"

    assert ask(lake_settings, question) == [("a", 1), ("b", 2)]


def test_tables_without_files_have_columns_and_no_rows(
    lake_settings: Settings, catalog: Catalog
) -> None:
    create_table(catalog, LakehouseSettings(), DECISIONS)

    for view in ("decisions", "labels", "dead_letters", "rule_fires", "rulesets", "rules"):
        assert ask(lake_settings, f"select count(*) from {view}") == [(0,)]
    assert ask(lake_settings, "select sum(amount) from decisions") == [(None,)]


def test_a_lakehouse_that_was_never_made_says_so(lake_settings: Settings, catalog: Catalog) -> None:
    with pytest.raises(SinkError, match="no tables in namespace fraud yet"):
        ask(lake_settings, "select 1")


def test_the_past_is_asked_by_snapshot_or_by_time(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    first = store({})
    store({}, {})
    made = catalog.load_table("fraud.decisions").snapshot_by_id(first)
    assert made is not None
    moment = datetime.fromtimestamp(made.timestamp_ms / 1000, UTC)
    count = "select count(*) from decisions"

    assert ask(lake_settings, count, as_of=first) == [(1,)]
    assert ask(lake_settings, count, as_of=moment) == [(1,)]
    assert ask(lake_settings, count, as_of=moment - timedelta(days=1)) == [(0,)]
    assert ask(lake_settings, count, as_of=moment + timedelta(days=1)) == [(3,)]
    with pytest.raises(SinkError, match="no table has a snapshot 123456789"):
        ask(lake_settings, count, as_of=123456789)


def test_columns_that_were_renamed_dropped_added_or_widened_read_as_in_iceberg_itself(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    store({"model": "m@1"})
    table = catalog.load_table("fraud.decisions")
    with table.update_schema() as update:
        update.rename_column("channel", "channel_used")
        update.delete_column("model")
        update.update_column("kafka_partition", LongType())
        update.add_column("note", StringType())
    with table.update_schema() as update:
        update.add_column("model", StringType())  # a new column of an old name

    names = "channel_used, model, kafka_partition, note"
    asked = ask(lake_settings, f"select {names} from lake.decisions")

    scanned = table.scan(selected_fields=tuple(names.split(", "))).to_arrow().to_pylist()
    assert asked == [tuple(row[name] for name in names.split(", ")) for row in scanned]
    assert asked == [("pos", None, 0, None)]
    assert plan_table(table, snapshot_id=None).is_by_id


def test_a_renamed_feature_is_found_by_its_id(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    store({"features": {"a": 1, "b": 2}})
    table = catalog.load_table("fraud.decisions")
    with table.update_schema() as update:
        update.rename_column(("features", "a"), "aa")
    with table.update_schema() as update:
        update.add_column(("features", "a"), DoubleType())
    store({"features": {"a": 3, "b": 4}})

    rows = ask(lake_settings, "select features.aa, features.a from decisions order by kafka_offset")

    assert rows == [(1.0, None), (None, 3.0)]


def test_columns_that_were_added_dropped_or_widened_are_read_from_the_files(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    store({"features": {"a": 1}})
    table = catalog.load_table("fraud.decisions")
    with table.update_schema() as update:
        update.update_column("kafka_partition", LongType())
        update.add_column("note", StringType())
        update.add_column(("features", "b"), DoubleType())
        update.add_column(("features", "never_written"), DoubleType())
    store({"features": {"a": 2, "b": 3}})
    with table.refresh().update_schema() as update:
        update.delete_column("model")

    names = "kafka_partition, note, features.a, features.b, features.never_written"
    rows = ask(lake_settings, f"select {names} from decisions order by kafka_offset")

    assert rows == [(0, None, 1.0, None, None), (0, None, 2.0, 3.0, None)]
    assert not plan_table(table.refresh(), snapshot_id=None).is_by_id
    with pytest.raises(TerminalError, match="model"):
        ask(lake_settings, "select model from decisions")


def test_a_renamed_column_costs_questions_no_more_than_its_own_reading(
    lake_settings: Settings,
    store: Callable[..., int],
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One rename, long ago, made every question read the whole table into memory first."""
    store({"model": "m@1"})
    with catalog.load_table("fraud.decisions").update_schema() as update:
        update.rename_column("model", "scored_by")

    def refuse(_: DataScan) -> None:
        raise AssertionError

    monkeypatch.setattr(DataScan, "to_arrow", refuse)
    monkeypatch.setattr(DataScan, "to_arrow_batch_reader", refuse)

    assert ask(lake_settings, "select scored_by, features.travel_kmh from decisions") == [
        ("m@1", None)
    ]
    with open_lake(lake_settings) as lake:
        plan = str(lake.ask("explain select scored_by from decisions offset 1", limit=9).rows)
        assert lake.count_files()["decisions"] == 1
        assert lake.take_slow() == []
    assert "READ_PARQUET" in plan
    assert "base_amount" not in plan


def test_files_without_ids_are_read_as_iceberg_maps_them(
    lake_settings: Settings,
    store: Callable[..., int],
    catalog: Catalog,
    decision: Build,
    records: Collect,
    tmp_path: Path,
) -> None:
    store({"model": "m@1"})
    table = catalog.load_table("fraud.decisions")
    (rows,) = decode_rows(DECISIONS, records(decision(model="m@2"), offset=1)).rows
    path = tmp_path / "imported.parquet"
    names = [field.name for field in table.schema().fields]
    imported = table.scan().to_arrow().slice(0, 0)
    imported = pa.concat_tables([imported, rows], promote_options="permissive").select(names)
    pq.write_table(imported, path)
    table.add_files([str(path)])
    with table.update_schema() as update:
        update.rename_column("model", "scored_by")

    question = "select scored_by from decisions order by kafka_offset"

    assert ask(lake_settings, question) == [("m@1",), ("m@2",)]


def test_rows_that_another_engine_deleted_by_a_delete_file_do_not_show(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    store({"band": "allow"}, {"band": "review"}, {"band": "block"})
    table = catalog.load_table("fraud.decisions")
    (task,) = table.scan().plan_files()
    delete_row(table, task.file.file_path, 1)

    with open_lake(lake_settings) as lake:
        assert lake.ask("select 1 from labels", limit=9).rows == []
        assert lake.take_slow() == []
        bands = lake.ask("select band from decisions order by kafka_offset", limit=9).rows
        assert lake.take_slow() == ["decisions"]
        fires = lake.ask("select count(*) from rule_fires", limit=9).rows
        assert lake.count_files()["decisions"] is None

    assert bands == [("allow",), ("block",)]
    assert fires == [(4,)]  # two rules for each of the two that are left


def test_rows_that_were_deleted_by_value_fail_the_questions_that_need_them(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    """As a Flink job with upserts does it; pyiceberg does not read them."""
    store({})
    table = catalog.load_table("fraud.decisions")
    (task,) = table.scan().plan_files()
    delete_row(table, task.file.file_path, 0, by_value=True)

    assert ask(lake_settings, "select count(*) from labels") == [(0,)]
    with pytest.raises(SinkError, match=r"rows of fraud\.decisions by equality deletes"):
        ask(lake_settings, "select count(*) from decisions")


def test_a_letter_that_was_written_twice_shows_once(
    lake_settings: Settings, catalog: Catalog, records: Collect
) -> None:
    letter = {
        "stage": "lakehouse",
        "reason": "not_json",
        "detail": "",
        "original": "eA==",
        "topic": "labels",
        "partition": 0,
        "offset": 4,
        "failed_at": "2026-03-01T12:00:00Z",
    }
    again = {**letter, "failed_at": "2026-03-01T12:00:09Z"}
    other = {**letter, "offset": 5}
    values = (json.dumps(one).encode() for one in (letter, again, other))
    rows = decode_rows(DEAD_LETTERS, records(*values)).rows
    Ledger(create_table(catalog, LakehouseSettings(), DEAD_LETTERS)).commit(rows, at(3))

    question = "select source_offset, kafka_offset from dead_letters order by 1"

    assert ask(lake_settings, question) == [(4, 0), (5, 2)]
    assert ask(lake_settings, "select count(*) from lake.dead_letters") == [(3,)]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("select bnd from decisions", r'"bnd" not found.*Candidate bindings: "band"'),
        ("from decision", r"Table with name decision does not exist\. Did you mean decisions\?"),
        ("selct 1", r"syntax error at or near \"selct\"$"),
        ("select 1; select 2", "there are 2 statements"),
        ("", "there are 0 statements"),
        ("select error('no')", "no"),
    ],
)
def test_a_wrong_question_is_one_sentence(
    lake_settings: Settings, catalog: Catalog, question: str, sentence: str
) -> None:
    create_table(catalog, LakehouseSettings(), DECISIONS)

    with pytest.raises(TerminalError, match=sentence) as caught:
        ask(lake_settings, question)

    assert "\n" not in str(caught.value)


def test_every_column_is_listed_with_its_meaning_and_features_by_name(
    lake_settings: Settings, store: Callable[..., int], catalog: Catalog
) -> None:
    store({})
    create_table(catalog, LakehouseSettings(), LABELS)

    with open_lake(lake_settings) as lake:
        listed = {(one.view, one.name): one for one in lake.list_columns()}

    assert {view for view, _ in listed} == {
        "alerts_by_day",
        "dead_letters",
        "decisions",
        "decisions_labelled",
        "labels",
        "meta.files",
        "meta.manifests",
        "meta.positions",
        "meta.snapshots",
        "rule_fires",
        "rules",
        "rulesets",
    }
    assert listed["meta.files", "rows"].about == "How many it has."
    assert listed["decisions_labelled", "features.travel_kmh"].type == "DOUBLE"
    assert listed["decisions", "amount"].type == "DECIMAL(18,4)"
    assert listed["decisions", "features.travel_kmh"].type == "DOUBLE"
    assert listed["rule_fires", "card_id"].about == "A token, never a card number."
    assert listed["labels", "label"].about == "fraud or genuine."
    assert listed["rulesets", "rules"].type == "STRUCT[]"
    assert listed["rules", "condition"].about == "When it fires: `when` of the file."
    assert listed["rules", "ruleset"].about == "id@hash, as decisions name it."


def test_the_questions_of_the_guide_can_be_asked(
    lake_settings: Settings, store: Callable[..., int]
) -> None:
    store({})
    guide = Path(__file__).parents[4] / "docs" / "sql.md"
    blocks = re.findall(r"```sql\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    questions = [one for block in blocks for one in block.split(";") if one.strip()]

    assert len(questions) == 6
    answers = [ask(lake_settings, question) for question in questions]
    assert [(True,)] in answers
