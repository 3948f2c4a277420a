"""A real REST catalog, Iceberg's own: the ledger holds, logins work, and tables move unchanged."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks, decisions_table
from rest_server import POM, TOKEN, resolve_classpath, running_rest_catalog

from pipelines.errors import SinkError, TransientError
from pipelines.settings import LakehouseSettings, Secret, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest import ledger as module
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.upkeep.expiry import expire_snapshots

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.catalog import Catalog

pytestmark = pytest.mark.live
QUESTION = "select kafka_offset, features.a, features.b from decisions order by 1"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def classpath(tmp_path_factory: pytest.TempPathFactory) -> str:
    return resolve_classpath(POM, tmp_path_factory.mktemp("rest") / "classpath")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Inside the stack's home, where the default catalog has its own."""
    folder = tmp_path / "lakehouse" / "warehouse"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def sql(tmp_path: Path) -> Settings:
    """The default catalog, in SQLite, of which the REST catalog serves the tables."""
    return Settings(stack=StackSettings(home=tmp_path))


def rest(sql: Settings, address: str, **changes: str | Secret) -> Settings:
    lakehouse = LakehouseSettings(catalog_uri=address)
    return dataclasses.replace(sql, lakehouse=dataclasses.replace(lakehouse, **changes))


def open_ledger(catalog: Catalog) -> Ledger:
    return Ledger(decisions_table(catalog, "a", "b", "c"))


def ask(
    settings: Settings, question: str = QUESTION, *, as_of: datetime | None = None
) -> list[tuple[object, ...]]:
    with open_lake(settings, as_of=as_of) as lake:
        return lake.ask(question, limit=1000).rows


def test_tables_move_from_the_sql_catalog_to_a_rest_catalog_and_back(
    sql: Settings, classpath: str, warehouse: Path
) -> None:
    """Not a file changes place: another server answers for the same ones."""
    with open_catalog(sql) as catalog:
        open_ledger(catalog).commit(decision_blocks({"features": {"a": 1}}), at(1))

    file = warehouse.with_name("catalog.db")
    with running_rest_catalog(classpath, catalog_file=file, warehouse=warehouse) as address:
        moved = rest(sql, address, catalog_token=Secret(TOKEN))
        with open_catalog(moved) as catalog:
            ledger = open_ledger(catalog)
            assert ledger.position == at(1)
            ledger.commit(decision_blocks({"features": {"a": 2, "b": 3}}, offset=1), at(2))
        assert ask(moved) == [(0, 1.0, None), (1, 2.0, 3.0)]

    with open_catalog(sql) as catalog:
        ledger = open_ledger(catalog)
        assert ledger.position == at(2)
        ledger.commit(decision_blocks({"features": {"b": 4}}, offset=2), at(3))
    assert ask(sql) == [(0, 1.0, None), (1, 2.0, 3.0), (2, None, 4.0)]


def test_a_new_lakehouse_whose_second_writer_is_fenced(
    sql: Settings, classpath: str, warehouse: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rest.db"
    with running_rest_catalog(classpath, catalog_file=file, warehouse=warehouse) as address:
        # The credential is exchanged for a token at the catalog itself.
        settings = rest(sql, address, catalog_credential=Secret("sink:a-secret"))
        with (
            open_catalog(settings) as one,
            open_catalog(settings) as other,
        ):
            owner, zombie = open_ledger(one), open_ledger(other)
            owner.commit(decision_blocks({"features": {"a": 1}}), at(1))
            with pytest.raises(SinkError, match="another writer has moved table fraud"):
                zombie.commit(decision_blocks({}, {}), at(2))
            owner.commit(decision_blocks({"features": {"b": 2}}, offset=1), at(2))

        assert ask(settings) == [(0, 1.0, None), (1, None, 2.0)]
        files = [path for path in warehouse.rglob("*") if path.is_file()]
        assert len(files) > 6
        assert not [path for path in files if b"a-secret" in path.read_bytes()]


def test_full_hours_are_known_where_icebergs_own_library_lets_snapshots_go(
    sql: Settings, classpath: str, warehouse: Path, tmp_path: Path
) -> None:
    """It cuts main's log off at the first gap: only the tags are left to tell."""
    file = tmp_path / "rest.db"
    later = datetime.now(UTC) + timedelta(hours=1)
    hour = later.replace(minute=0, second=0, microsecond=0)
    with running_rest_catalog(classpath, catalog_file=file, warehouse=warehouse) as address:
        settings = rest(sql, address, catalog_token=Secret(TOKEN))
        with open_catalog(settings) as catalog:
            ledger = open_ledger(catalog)
            made = []
            for offset in range(6):
                ledger.commit(decision_blocks({}, offset=offset), at(offset + 1))
                head = ledger.table.current_snapshot()
                assert head is not None
                made.append(datetime.fromtimestamp(head.timestamp_ms / 1000, UTC))
                if offset == 2:  # as if the hour had come
                    expire_snapshots(ledger.table, keep=9, keep_hours=1, now=later)
            assert expire_snapshots(ledger.table, keep=1, keep_hours=1, now=later).snapshots == 4
        count = "select count(*) from decisions"

        assert ask(settings, count, as_of=hour) == [(3,)]
        assert ask(settings, count) == [(6,)]
        for gone in (made[1], made[4]):
            with pytest.raises(SinkError, match="decisions is not kept as it was at"):
                ask(settings, count, as_of=gone)


def test_a_wrong_token_and_a_server_that_goes_away(
    sql: Settings, classpath: str, warehouse: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rest.db"
    with running_rest_catalog(classpath, catalog_file=file, warehouse=warehouse) as address:
        settings = rest(sql, address, catalog_token=Secret("a-wrong-one"))
        with pytest.raises(SinkError, match=r"refuses: .*who are you\?") as caught:
            ask(settings)
        assert "a-wrong-one" not in str(caught.value)

        settings = rest(sql, address, catalog_token=Secret(TOKEN))
        opened = open_catalog(settings)
        catalog = opened.__enter__()
        ledger = open_ledger(catalog)

    with pytest.raises(TransientError, match="does not answer"):
        ledger.commit(decision_blocks({}), at(1))
    with pytest.raises(TransientError, match=f"catalog at {address} does not answer"):
        ask(settings)
    with pytest.raises(TransientError, match="does not answer"), explained(settings):
        open_ledger(catalog)
    opened.__exit__(None, None, None)
