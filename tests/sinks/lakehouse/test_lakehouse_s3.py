"""Tables in a store that speaks S3: what is asked of it, and what it says when it says no."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks, decisions_table
from postgres_server import PASSWORD, Postgres
from s3_server import BUCKET, KEY_ID, SECRET, Store, running_s3

from fraudlake.stack.ports import choose_ports
from pipelines.errors import SinkError, TerminalError, TransientError
from pipelines.settings import LakehouseSettings, Secret, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.query.plan import plan_table
from sinks.lakehouse.reach import describe_reach
from sinks.lakehouse.refusals import explained

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from pyiceberg.table import Table

pytestmark = pytest.mark.live


@pytest.fixture
def settings(s3: Store, tmp_path: Path) -> Settings:
    """The default catalog, and a folder of this test alone in the store."""
    lakehouse = LakehouseSettings(
        warehouse=f"s3://{BUCKET}/{tmp_path.name} of x=1",
        s3_endpoint=s3.endpoint,
        s3_access_key_id=KEY_ID,
        s3_secret_access_key=Secret(SECRET),
    )
    return Settings(stack=StackSettings(home=tmp_path), lakehouse=lakehouse)


def with_lakehouse(settings: Settings, **changes: str | Secret) -> Settings:
    return dataclasses.replace(
        settings, lakehouse=dataclasses.replace(settings.lakehouse, **changes)
    )


def store_decisions(settings: Settings, *commits: list[pa.Table]) -> Table:
    """One commit after the other, by one ledger."""
    with open_catalog(settings) as catalog, explained(settings):
        ledger = Ledger(decisions_table(catalog, "a", "b", "n"))
        end = 0
        for blocks in commits:
            end += sum(block.num_rows for block in blocks)
            ledger.commit(blocks, at(end))
        return ledger.table


def ask(settings: Settings, question: str) -> list[tuple[object, ...]]:
    with open_lake(settings) as lake:
        return lake.ask(question, limit=1000).rows


def test_decisions_in_a_store_are_asked_like_those_in_a_folder(settings: Settings) -> None:
    table = store_decisions(
        settings,
        decision_blocks({"features": {"a": 1}, "rules_fired": ["x", "y"]}),
        decision_blocks({"features": {"a": 2, "b": 3}}, offset=1),
    )

    assert not plan_table(table, snapshot_id=None).is_by_id
    question = "select kafka_offset, amount, rules_fired[1], features.b from decisions order by 1"
    assert [(a, str(b), c, d) for a, b, c, d in ask(settings, question)] == [
        (0, "12.3000", "x", None),
        (1, "12.3000", "velocity", 3.0),
    ]
    assert ask(settings, "select count(*) from rule_fires") == [(4,)]


def test_a_renamed_column_is_found_by_its_id(settings: Settings) -> None:
    table = store_decisions(settings, decision_blocks({}))
    with table.update_schema() as update:
        update.rename_column("channel", "channel_used")

    assert plan_table(table.refresh(), snapshot_id=None).is_by_id
    assert ask(settings, "select channel_used from lake.decisions") == [("pos",)]


def test_a_footer_is_read_once_and_of_the_rest_what_a_question_needs(
    settings: Settings, s3: Store
) -> None:
    store_decisions(
        settings, decision_blocks({"score": 0.5}), decision_blocks({"score": 0.25}, offset=1)
    )

    with open_lake(settings) as lake:
        before = len(s3.requests())
        assert lake.ask("select sum(score) from decisions", limit=1).rows == [(0.75,)]
        assert lake.ask("select sum(score) from decisions", limit=1).rows == [(0.75,)]
        asked = s3.requests()[before:]

    # A column of a file of one row is one range, and it is read each time; footers are known.
    assert len(asked) == 4
    assert all(one.startswith("GET ") and one.endswith(".parquet") for one in asked)


def test_a_table_in_a_store_is_not_written_to_by_a_question(settings: Settings) -> None:
    store_decisions(settings, decision_blocks({}))

    with (
        open_lake(settings) as lake,
        pytest.raises(TerminalError, match="the lakehouse is read only"),
    ):
        lake.write("from decisions", path=f"s3://{BUCKET}/stolen.parquet", options="FORMAT parquet")


def test_catalog_in_postgresql_and_files_in_a_store(
    settings: Settings, postgres: Postgres, s3: Store
) -> None:
    both = with_lakehouse(
        settings, catalog_uri=postgres.create_database(), catalog_password=Secret(PASSWORD)
    )
    store_decisions(both, decision_blocks({}), decision_blocks({"features": {"n": 1}}, offset=1))

    with open_catalog(both) as catalog:
        restored = Ledger(catalog.load_table("fraud.decisions"))
        assert restored.position == at(2)
        restored.commit(decision_blocks({}, offset=2), at(3))
        zombie = Ledger(catalog.load_table("fraud.decisions"))
        restored.commit(decision_blocks({}, offset=3), at(4))
        with pytest.raises(SinkError, match="another writer"):
            zombie.commit(decision_blocks({}, offset=3), at(4))

    question = "select count(*), count(features.n), max(kafka_offset) from decisions"
    assert ask(both, question) == [(4, 1, 3)]
    files = {path: data for path, data in s3.contents().items() if " of x=1" in path}
    assert {path.rpartition(".")[2] for path in files} == {"json", "avro", "parquet"}
    for secret in (PASSWORD, SECRET):
        assert not [path for path, data in files.items() if secret.encode() in data]


def test_a_bucket_that_is_not_there_is_named(settings: Settings) -> None:
    missing = with_lakehouse(settings, warehouse="s3://no-such-bucket/lake")

    with pytest.raises(SinkError, match=r"warehouse refuses: .*no-such-bucket.*NO_SUCH_BUCKET"):
        store_decisions(missing, decision_blocks({}))


def test_the_doctor_sees_catalog_and_bucket(settings: Settings, s3: Store) -> None:
    before = len(s3.requests())
    assert describe_reach(settings) == "the default catalog answers; tables in namespace fraud: 0"
    assert [one.partition(" ")[0] for one in s3.requests()[before:]] == ["HEAD"]
    store_decisions(settings, decision_blocks({}))
    assert describe_reach(settings) == "the default catalog answers; tables in namespace fraud: 1"

    with pytest.raises(SinkError, match="there is no bucket nowhere; create it"):
        describe_reach(with_lakehouse(settings, warehouse="s3://nowhere/lake"))


def test_a_bucket_that_was_deleted_later_is_named_too(settings: Settings, s3: Store) -> None:
    store_decisions(settings, decision_blocks({}))
    folder = settings.lakehouse.warehouse.removeprefix("s3://")
    s3.files.delete_dir(folder)

    with pytest.raises(SinkError, match=r"warehouse refuses: .*metadata\.json"):
        ask(settings, "select 1")


def test_a_store_that_refuses_the_key_is_not_asked_again(
    settings: Settings, tmp_path: Path
) -> None:
    with running_s3(tmp_path / "log", knows_keys=True) as strict:
        refused = with_lakehouse(settings, s3_endpoint=strict.endpoint)
        with pytest.raises(SinkError, match=r"warehouse refuses: .*ACCESS_DENIED") as caught:
            store_decisions(refused, decision_blocks({}))

    assert SECRET not in str(caught.value)


def test_a_store_that_is_away_is_worth_another_try(settings: Settings) -> None:
    store_decisions(settings, decision_blocks({}))
    port = choose_ports({"nobody": 0}, strict=False)["nobody"]
    away = with_lakehouse(settings, s3_endpoint=f"http://127.0.0.1:{port}")

    with pytest.raises(TransientError, match=r"does not answer: .*NETWORK_CONNECTION") as caught:
        ask(away, "select 1")

    assert SECRET not in str(caught.value)


def test_a_store_that_goes_away_between_two_questions_is_a_sentence(
    settings: Settings, tmp_path: Path
) -> None:
    with ExitStack() as until, ExitStack() as opened:
        store = until.enter_context(running_s3(tmp_path / "log"))
        brief = with_lakehouse(settings, s3_endpoint=store.endpoint)
        store_decisions(brief, decision_blocks({}))
        lake = opened.enter_context(open_lake(brief))
        assert lake.ask("select count(*) from decisions", limit=1).rows == [(1,)]
        until.close()

        with pytest.raises(TerminalError, match="NETWORK_CONNECTION") as caught:
            lake.ask("select sum(score) from decisions", limit=1)

    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)
