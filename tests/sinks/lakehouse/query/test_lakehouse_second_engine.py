"""Polars and pyiceberg read the very same tables, and see what ``fraudlake sql`` shows."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from decision_records import at, decision_blocks, decisions_table
from pyiceberg.types import DecimalType, DoubleType, LongType, StringType
from s3_server import BUCKET, KEY_ID, SECRET, Store

from pipelines.settings import LakehouseSettings, Secret, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table
    from pyiceberg.table.update.schema import UpdateSchema

Rows = list[dict[str, Any]]
Change = Callable[["UpdateSchema"], object]
ENGINES: dict[str, Callable[[Table], Rows]] = {
    "polars": lambda table: pl.scan_iceberg(table, reader_override="native").collect().to_dicts(),
    "polars through pyiceberg": lambda table: (
        pl.scan_iceberg(table, reader_override="pyiceberg").collect().to_dicts()
    ),
    "pyiceberg": lambda table: table.scan().to_arrow().to_pylist(),
}


@pytest.fixture(autouse=True)
def one_planner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polars warns that there is a faster planner, in a package of its own."""
    monkeypatch.setitem(os.environ, "POLARS_ICEBERG_PLANNER", "pyiceberg")


@pytest.fixture
def table(catalog: Catalog) -> Table:
    return store(catalog)


def store(catalog: Catalog) -> Table:
    """Four decisions in three commits; the features are grown by each."""
    first = decision_blocks({"features": {}, "base_amount": 1e9})
    Ledger(create_table(catalog, LakehouseSettings(), DECISIONS)).commit(first, at(1))
    second = decision_blocks({"features": {"a": 1, "b": None}}, offset=1)
    Ledger(decisions_table(catalog, "a", "b")).commit(second, at(2))
    more = (
        {"features": {"b": 2.5, "c": -1}, "rules_fired": []},
        {"features": {"c": 7}, "model": "m@1"},
    )
    ledger = Ledger(decisions_table(catalog, "c"))
    ledger.commit(decision_blocks(*more, offset=2), at(4))
    return ledger.table


def by_sql(settings: Settings) -> Rows:
    with open_lake(settings) as lake:
        answer = lake.ask("select * from lake.decisions order by kafka_offset", limit=100)
    names = [name for name, _ in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def in_order(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["kafka_offset"])


@pytest.mark.parametrize("engine", ENGINES)
def test_decimals_lists_times_and_grown_features_are_the_same_in_each_engine(
    lake_settings: Settings, table: Table, engine: str
) -> None:
    rows = in_order(ENGINES[engine](table))

    assert rows == by_sql(lake_settings)
    assert [row["features"] for row in rows][:2] == [
        None,
        {"a": 1.0, "b": None, "c": None},
    ]
    assert str(rows[0]["base_amount"]) == "1000000000.00"
    assert [row["model"] for row in rows] == [None, None, None, "m@1"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([lambda update: update.rename_column("channel", "used")], id="renamed"),
        pytest.param([lambda update: update.add_column("note", StringType())], id="added"),
        pytest.param([lambda update: update.delete_column("model")], id="dropped"),
        pytest.param(
            [
                lambda update: update.update_column("kafka_partition", LongType()),
                lambda update: update.update_column("base_amount", DecimalType(20, 2)),
            ],
            id="widened",
        ),
        pytest.param(
            [lambda update: update.rename_column(("features", "a"), "aa")], id="feature renamed"
        ),
        pytest.param(
            [
                lambda update: update.delete_column("model"),
                lambda update: update.rename_column(("features", "a"), "aa"),
                lambda update: update.add_column("model", StringType()),
                lambda update: update.add_column(("features", "a"), DoubleType()),
            ],
            id="old names again",
        ),
    ],
)
def test_a_changed_table_is_the_same_in_each_engine(
    lake_settings: Settings, table: Table, changes: list[Change], engine: str
) -> None:
    for change in changes:
        with table.update_schema() as update:
            change(update)

    assert in_order(ENGINES[engine](table)) == by_sql(lake_settings)


@pytest.mark.live
def test_polars_reads_a_store_when_it_is_told_how_to_reach_it(s3: Store, tmp_path: Path) -> None:
    lakehouse = LakehouseSettings(
        warehouse=f"s3://{BUCKET}/polars",
        s3_endpoint=s3.endpoint,
        s3_access_key_id=KEY_ID,
        s3_secret_access_key=Secret(SECRET),
    )
    settings = Settings(stack=StackSettings(home=tmp_path), lakehouse=lakehouse)
    with open_catalog(settings) as catalog:
        table = store(catalog)

    # Its own reader takes the access from nowhere else; the one through pyiceberg from the table.
    access = {name: value for name, value in table.io.properties.items() if name[:3] == "s3."}
    native = pl.scan_iceberg(table, reader_override="native", storage_options=access)
    assert in_order(native.collect().to_dicts()) == by_sql(settings)
    assert in_order(ENGINES["polars through pyiceberg"](table)) == by_sql(settings)
