"""Handing the sink's work to Flink: the script fits the tables, and two writers never overlap."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks, decisions_table
from postgres_server import PASSWORD, Postgres

from pipelines.errors import SinkError
from pipelines.settings import LakehouseSettings, Secret, Settings, StackSettings
from sinks.lakehouse.catalog import find_catalog, open_catalog
from sinks.lakehouse.handover import hand_over as module
from sinks.lakehouse.handover.hand_over import hand_over
from sinks.lakehouse.handover.take_back import take_back
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.shaping import shape
from sinks.lakehouse.position import Position
from sinks.lakehouse.tables import DECISIONS, SINK_TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog

    from pipelines.settings import KafkaSettings

pytestmark = pytest.mark.live
BY_FLINK = {"flink.job-id": "0123", "flink.max-committed-checkpoint-id": "1"}


class QuietTopic:
    """A topic of two partitions in which nothing has happened yet."""

    def __init__(self, _: KafkaSettings, *, topic: str, group: str) -> None:
        assert group == "lakehouse-sink.fraud"
        self._topic = topic
        self._stored: Position | None = None

    def start(self, stored: Position | None) -> None:
        self._stored = stored

    def position(self, *, dead_letters: int) -> Position:
        ends = {0: 0, 1: 0} if self._stored is None else self._stored.next_offsets
        return Position(
            cluster_id="cluster",
            topic_id="topic-1",
            topic=self._topic,
            next_offsets=ends,
            dead_letters=dead_letters,
        )

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def settings(postgres: Postgres, tmp_path: Path) -> Settings:
    lakehouse = LakehouseSettings(
        catalog_uri=postgres.create_database(),
        catalog_password=Secret(PASSWORD),
        warehouse=str(tmp_path / "warehouse"),
    )
    return Settings(stack=StackSettings(home=tmp_path), lakehouse=lakehouse)


def store(settings: Settings, blocks: list[pa.Table], end: int) -> None:
    with open_catalog(settings) as catalog:
        open_ledger(catalog).commit(blocks, at(end))


def open_ledger(catalog: Catalog) -> Ledger:
    return Ledger(decisions_table(catalog, "a", "b"))


def append_by_flink(settings: Settings, blocks: list[pa.Table]) -> None:
    """As Iceberg's Flink sink does: rows, and its own words in the summary."""
    with open_catalog(settings) as catalog:
        table = catalog.load_table(("fraud", "decisions"))
        for block in blocks:
            table.append(shape(block, table, topic="decisions"), snapshot_properties=BY_FLINK)


def test_the_script_fits_the_tables_and_begins_where_they_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Source", QuietTopic)
    store(settings, decision_blocks({"features": {"a": 1, "b": 2}}), 1)

    script = hand_over(settings)

    for table in SINK_TABLES:
        found = re.search(rf"\.`{table.name}` \((.*?)\)\nSELECT\n(.*?)\nFROM", script, re.DOTALL)
        assert found is not None
        names = [column.name for column in table.columns]
        names += ["features"] if table is DECISIONS else []
        assert re.findall(r"`(\w+)`", found[1]) == names
        # One value for each column, each on a line of its own, features apart.
        values = re.findall(r"^    (?=\S)(?!--|\))", found[2], re.MULTILINE)
        assert len(values) == len(names)
    assert re.search(r"AS ROW<.*`a` DOUBLE, `b` DOUBLE>", script)
    starts = re.findall(r"specific-offsets' = '(.*)'", script)
    assert starts == [
        "partition:0,offset:1;partition:1,offset:0",
        *["partition:0,offset:0;partition:1,offset:0"] * 2,
    ]
    assert script.count("'properties.isolation.level' = 'read_committed'") == 3


def test_values_of_the_script_stand_in_the_order_of_the_columns() -> None:
    """Each value names the member that its column is named for."""
    text = Path(module.__file__).with_name("hand_over.sql").read_text()
    (values,) = re.findall(r"decisions_columns\)\nSELECT\n(.*?)\nFROM", text, re.DOTALL)
    members = re.findall(r"\$\$\.([\w.]+)'|^    (?:CAST\()?`(kafka_\w+)`", values, re.MULTILINE)
    named = [member.rpartition(".")[2] or place for member, place in members]
    renamed = {"topic": "source_topic", "partition": "source_partition", "offset": "source_offset"}
    expected = [column.name for column in DECISIONS.columns if column.name != "transaction"]

    assert [renamed.get(name, name) for name in named] == expected
    at_text = [column.name for column in DECISIONS.columns].index("transaction")
    assert "REGEXP_EXTRACT" in re.split(r",\n    (?=[A-Z`-])", values)[at_text]


def test_a_catalog_in_sqlite_is_not_handed_over(lake_settings: Settings) -> None:
    with pytest.raises(SinkError, match="Flink cannot share a catalog in SQLite"):
        hand_over(lake_settings)


def test_while_a_flink_job_writes_the_sink_refuses_and_afterwards_goes_on_behind_it(
    settings: Settings,
) -> None:
    store(settings, decision_blocks({"features": {"a": 1}}), 1)
    append_by_flink(settings, decision_blocks({"features": {"a": 1}}, {"features": {}}, offset=1))

    with pytest.raises(SinkError, match=r"fraud\.decisions is written by a Flink job.*take-back"):
        store(settings, [], 1)

    moved = take_back(settings)

    assert {name: dict(one.next_offsets) for name, one in moved.items()} == {
        "decisions": {0: 3, 1: 0}
    }
    store(settings, decision_blocks({}, offset=3), 4)
    assert take_back(settings) == {}


def test_a_sink_that_runs_while_it_is_handed_over_stores_nothing_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the job and the sink would store the same records."""
    monkeypatch.setattr(module, "Source", QuietTopic)
    store(settings, decision_blocks({"features": {"a": 1}}), 1)
    with open_catalog(settings) as catalog:
        running = open_ledger(catalog)

        hand_over(settings)
        with pytest.raises(SinkError, match=r"fraud\.decisions is written by a Flink job"):
            running.commit(decision_blocks({"features": {"a": 1}}, offset=1), at(2))

    append_by_flink(settings, decision_blocks({"features": {"a": 1}}, offset=1))
    assert offsets_in(settings) == [0, 1]


def test_between_the_hand_over_and_the_first_commit_of_the_job_no_sink_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Source", QuietTopic)
    store(settings, decision_blocks({"features": {"a": 1}}), 1)
    script = hand_over(settings)

    with pytest.raises(SinkError, match="take-back"):
        store(settings, [], 1)
    assert hand_over(settings) == script  # as long as no job has used it

    append_by_flink(settings, decision_blocks({"features": {"a": 1}}, offset=1))
    with pytest.raises(SinkError, match="Stop that job"):
        hand_over(settings)


def test_what_was_handed_over_and_never_used_can_be_taken_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Source", QuietTopic)
    store(settings, decision_blocks({"features": {"a": 1}}), 1)
    hand_over(settings)

    moved = take_back(settings)

    assert {name: dict(one.next_offsets) for name, one in moved.items()} == {
        "decisions": {0: 1, 1: 0},
        "labels": {0: 0, 1: 0},
        "dead_letters": {0: 0, 1: 0},
    }
    store(settings, decision_blocks({"features": {}}, offset=1), 2)
    assert take_back(settings) == {}


def test_a_sink_that_runs_is_found_by_the_hand_over_of_another_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stores between the look at its position and the mark: the script would be wrong."""
    store(settings, decision_blocks({"features": {"a": 1}}), 1)
    with open_catalog(settings) as catalog:
        running = open_ledger(catalog)

        class BusyTopic(QuietTopic):
            def close(self) -> None:
                if self._topic == "decisions":
                    running.commit(decision_blocks({"features": {"a": 1}}, offset=1), at(2))

        monkeypatch.setattr(module, "Source", BusyTopic)
        with pytest.raises(SinkError, match=r"was written to just now\. Stop the lakehouse sink"):
            hand_over(settings)


def offsets_in(settings: Settings) -> list[int]:
    with find_catalog(settings) as catalog:
        assert catalog is not None
        rows = catalog.load_table("fraud.decisions").scan().to_arrow()
    return sorted(rows.column("kafka_offset").to_pylist())


def test_a_job_that_began_too_early_is_found_when_it_is_taken_back(settings: Settings) -> None:
    store(settings, decision_blocks({"features": {"a": 1}}), 1)
    append_by_flink(settings, decision_blocks({"features": {"a": 1}}, {"features": {}}))

    with pytest.raises(SinkError, match="has records of partition 0 twice"):
        take_back(settings)


def test_rows_of_an_older_topic_hide_where_the_job_has_ended(settings: Settings) -> None:
    """A topic that was deleted and created again begins at offset 0, below the rows it left."""
    store(settings, decision_blocks({"features": {"a": 1}}, offset=7), 1)
    append_by_flink(settings, decision_blocks({"features": {"a": 1}}, offset=1))

    with pytest.raises(SinkError, match="rows of an older topic of this name"):
        take_back(settings)
