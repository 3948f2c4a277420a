"""Records as the job writes them, by hand, and an Iceberg catalog in a temporary folder."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.settings import LakehouseSettings, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.records import Records
from sinks.lakehouse.schema import apply_changes, create_table, feature_names
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


@pytest.fixture
def decision() -> Callable[..., bytes]:
    """A decision record: ``transaction`` a dict or a text, other members by name."""

    def build(transaction: dict[str, Any] | str | None = None, **members: Any) -> bytes:
        text = (
            transaction
            if isinstance(transaction, str)
            else json.dumps({**TRANSACTION, **(transaction or {})}, separators=(",", ":"))
        )
        whole = json.dumps({**DECISION, **members}, separators=(",", ":"))
        return whole.replace('"transaction":null', f'"transaction":{text}', 1).encode()

    return build


@pytest.fixture
def records() -> Callable[..., Records]:
    """Values as records of partition 0, from ``offset`` on, at noon."""

    def build(*values: bytes | None, offset: int = 0) -> Records:
        found = Records()
        for at, value in enumerate(values, start=offset):
            found.add(value=value, partition=0, offset=at, time_ms=1_772_366_402_000)
        return found

    return build


@pytest.fixture
def lake_settings(tmp_path: Path) -> Settings:
    """The default catalog, in a folder of this test alone."""
    return dataclasses.replace(
        Settings(), stack=StackSettings(home=tmp_path), lakehouse=LakehouseSettings()
    )


@pytest.fixture
def catalog(lake_settings: Settings) -> Iterator[Catalog]:
    """That catalog, open."""
    with open_catalog(lake_settings, writable=True) as opened:
        assert opened is not None
        yield opened


@pytest.fixture
def decisions_table(catalog: Catalog) -> Callable[..., Table]:
    """The table of decisions as it is now, with the features of DECISION and those named."""

    def build(*names: str) -> Table:
        if not catalog.table_exists("fraud.decisions"):
            create_table(catalog, LakehouseSettings(), DECISIONS)
            names = (*DECISION["features"], *names)
        table = catalog.load_table("fraud.decisions")
        missing = [name for name in names if name not in feature_names(table.schema())]
        if missing:
            apply_changes(catalog, LakehouseSettings(), dict.fromkeys(missing, ""))
        return table.refresh()

    return build
