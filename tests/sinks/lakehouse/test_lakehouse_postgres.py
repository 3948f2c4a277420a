"""The catalog in a real PostgreSQL: what holds on SQLite holds there, and errors are sentences."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks, decisions_table
from kept_rulesets import home_beside, keep_one, record_at_once
from postgres_server import PASSWORD, Postgres

from fraudlake.stack.ports import choose_ports
from pipelines.errors import SinkError, TransientError
from pipelines.settings import LakehouseSettings, Secret, Settings, StackSettings
from sinks.lakehouse.catalog import find_catalog, open_catalog
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.ingest import ledger as module
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

READ_POSITION = """
from pipelines.settings import Settings
from sinks.lakehouse.progress import read_progress
print(read_progress(Settings.from_env())["decisions"].next_offsets)
"""

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def settings(postgres: Postgres, tmp_path: Path) -> Settings:
    """A database of this test alone; the files lie in its folder."""
    lakehouse = LakehouseSettings(
        catalog_uri=postgres.create_database(),
        catalog_password=Secret(PASSWORD),
        warehouse=str(tmp_path / "warehouse"),
    )
    return Settings(stack=StackSettings(home=tmp_path), lakehouse=lakehouse)


def with_lakehouse(settings: Settings, **changes: str | Secret) -> Settings:
    return dataclasses.replace(
        settings, lakehouse=dataclasses.replace(settings.lakehouse, **changes)
    )


def open_ledger(catalog: Catalog) -> Ledger:
    return Ledger(decisions_table(catalog, "a", "b", "c"))


def ask(settings: Settings, question: str) -> list[tuple[object, ...]]:
    with open_lake(settings) as lake:
        return lake.ask(question, limit=1000).rows


def test_rows_land_once_and_the_second_writer_is_fenced(settings: Settings) -> None:
    with (
        open_catalog(settings) as one,
        open_catalog(settings) as other,
    ):
        owner, zombie = open_ledger(one), open_ledger(other)
        owner.commit(decision_blocks({"features": {"a": 1}}), at(1))

        with pytest.raises(SinkError, match="another writer has moved table fraud"):
            zombie.commit(decision_blocks({}, {}), at(2))

        owner.commit(decision_blocks({"features": {"a": 2, "b": 3}}, offset=1), at(2))

    question = "select kafka_offset, features.a, features.b from decisions order by 1"
    assert ask(settings, question) == [(0, 1.0, None), (1, 2.0, 3.0)]


def test_a_commit_that_lost_the_race_is_refused_by_the_catalog_and_leaves_no_rows(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other writer comes between the last look at the table and the commit."""
    with (
        open_catalog(settings) as one,
        open_catalog(settings) as other,
    ):
        loser, winner = open_ledger(one), open_ledger(other)
        loser.commit(decision_blocks({}), at(1))
        winner = open_ledger(other)
        land = PreparedSnapshot.commit

        def come_first(self: PreparedSnapshot) -> None:
            monkeypatch.setattr(PreparedSnapshot, "commit", land)
            winner.commit(decision_blocks({}, offset=1), at(2))
            land(self)

        monkeypatch.setattr(PreparedSnapshot, "commit", come_first)
        with pytest.raises(SinkError, match="another writer"):
            loser.commit(decision_blocks({}, {}, offset=1), at(3))

    assert ask(settings, "select kafka_offset from decisions order by 1") == [(0,), (1,)]


def test_many_that_record_rule_sets_at_once_record_each_version_once(settings: Settings) -> None:
    homes = [home_beside(settings, f"home-{at}") for at in range(4)]
    expected = set()
    for number, home in enumerate(homes):
        expected |= {keep_one(home, weight) for weight in range(number + 1, number + 4)}

    done = record_at_once(homes)

    assert sorted(version for one in done for version in one.added) == sorted(expected)
    stored = ask(settings, "select ruleset from rulesets order by 1")
    assert stored == [(version,) for version in sorted(expected)]


def test_another_process_goes_on_where_the_table_ends(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        open_ledger(catalog).commit(decision_blocks({}, {}), at(2))

    done = subprocess.run(
        [sys.executable, "-c", READ_POSITION],
        env={**os.environ, **settings.to_env()},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "{0: 2, 1: 0}"


def test_processes_that_start_at_once_agree_on_one_set_of_tables(settings: Settings) -> None:
    def start(_: int) -> str:
        with open_catalog(settings) as catalog:
            return open_ledger(catalog).table.metadata.table_uuid.hex

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(start, range(4)))

    assert len(found) == 1


def test_reading_an_empty_database_creates_nothing(settings: Settings, postgres: Postgres) -> None:
    assert [one.exists for one in read_progress(settings).values()] == [False, False, False]
    with pytest.raises(SinkError, match="no tables in namespace fraud yet"):
        ask(settings, "select 1")

    database = settings.lakehouse.catalog_uri.rpartition("/")[2]
    with postgres.connect(database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchone() == (0,)


def test_a_restart_of_the_server_between_two_commits_is_not_noticed(
    settings: Settings, postgres: Postgres
) -> None:
    with open_catalog(settings) as catalog:
        ledger = open_ledger(catalog)
        ledger.commit(decision_blocks({}), at(1))
        postgres.stop()
        postgres.start()
        ledger.commit(decision_blocks({}, offset=1), at(2))

    assert ask(settings, "select count(*) from decisions") == [(2,)]


def test_tables_move_from_the_default_catalog_with_the_lines_of_the_guide(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = settings.stack.home / ".fraudlake"
    default = Settings(stack=StackSettings(home=home))
    with open_catalog(default) as catalog:
        open_ledger(catalog).commit(decision_blocks({"features": {"a": 1}}), at(1))

    guide = Path(__file__).parents[3] / "docs" / "catalogs.md"
    (lines,) = re.findall(r"```python\n(# move .*?)```", guide.read_text(), re.DOTALL)
    monkeypatch.chdir(settings.stack.home)
    for name, value in settings.to_env().items():
        if "_LAKEHOUSE_" in name:
            monkeypatch.setenv(name, value)
    exec(lines, {})

    with open_catalog(settings) as catalog:
        ledger = open_ledger(catalog)
        assert ledger.position == at(1)
        ledger.commit(decision_blocks({}, offset=1), at(2))
    assert ask(settings, "select count(*) from decisions") == [(2,)]


def test_a_server_that_is_away_is_worth_another_try(settings: Settings) -> None:
    port = choose_ports({"nobody": 0}, strict=False)["nobody"]
    away = with_lakehouse(settings, catalog_uri=f"postgresql://lake@127.0.0.1:{port}/lake")

    for entry in (find_catalog, open_catalog):
        with (
            pytest.raises(TransientError, match=r"does not answer.*Connection refused") as caught,
            entry(away),
        ):
            pass
        assert_is_a_sentence(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"catalog_password": Secret("a-wrong-one")}, "password authentication failed"),
        ({"catalog_password": Secret("")}, "no password supplied"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_a_server_that_refuses_is_not_asked_again(
    settings: Settings, changes: dict[str, str | Secret], reason: str
) -> None:
    if "database" in changes:
        server = settings.lakehouse.catalog_uri.rpartition("/")[0]
        changes = {"catalog_uri": f"{server}/{changes['database']}"}

    for entry in (find_catalog, open_catalog):
        with (
            pytest.raises(SinkError, match=f"refuses: .*{reason}") as caught,
            entry(with_lakehouse(settings, **changes)),
        ):
            pass
        assert_is_a_sentence(caught.value)
        assert "FRAUDLAKE_LAKEHOUSE_CATALOG_PASSWORD" in str(caught.value)


def test_the_password_stands_in_no_table_and_no_file(
    settings: Settings, postgres: Postgres
) -> None:
    with open_catalog(settings) as catalog:
        ledger = open_ledger(catalog)
        ledger.commit(decision_blocks({}), at(1))
        assert PASSWORD not in repr(catalog) + repr(ledger.table)

    files = [path for path in Path(settings.lakehouse.warehouse).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".avro", ".parquet"}
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    with postgres.connect(settings.lakehouse.catalog_uri.rpartition("/")[2]) as connection:
        for table in ("iceberg_tables", "iceberg_namespace_properties"):
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # type: ignore[call-overload]
            assert rows != []
            assert PASSWORD not in repr(rows)


def assert_is_a_sentence(error: Exception) -> None:
    assert "\n" not in str(error)
    assert "a-wrong-one" not in str(error)
    assert PASSWORD not in str(error)
