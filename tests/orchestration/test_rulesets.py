"""The table of the rule sets as an asset: behind the rules in force, and never in their way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from orchestration.defs.rules import active
from orchestration.defs.rulesets import rulesets_table
from orchestration.keys import RULES, RULESETS_TABLE
from orchestration.resources import RuleDesk, Sinks, processes
from pipelines.published_rules import read_published
from pipelines.settings import Settings
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def publish(instance: dg.DagsterInstance, ruleset: str) -> dg.ExecuteInProcessResult:
    """Both assets in one run, as a person materializes them."""
    return dg.materialize(
        [active, rulesets_table],
        instance=instance,
        resources={"rule_desk": RuleDesk()},
        run_config={"ops": {"rules__active": {"config": {"ruleset": ruleset}}}},
        raise_on_error=False,
    )


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == RULESETS_TABLE
    ]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_each_version_is_recorded_once_and_the_page_says_what_was_added(
    home: Path, instance: dg.DagsterInstance
) -> None:
    pages = [told(publish(instance, name)) for name in ("speed", "classic", "speed")]

    assert [page["versions added"] for page in pages] == [1, 1, 0]
    assert [page["dagster/row_count"] for page in pages] == [1, 2, 2]
    assert [page["versions kept here"] for page in pages] == [1, 2, 2]
    assert pages[0]["added"].startswith("speed@")
    assert pages[2]["added"] == "none"
    with open_lake(Settings.from_env()) as lake:
        stored = lake.ask("select id, origin, source from rulesets order by 1", limit=9).rows
    assert stored == [("classic", "published", "classic"), ("speed", "published", "speed")]


def test_lake_that_is_away_keeps_no_rule_set_from_being_in_force(
    home: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulesets_table.op, "_retry_policy", None)
    monkeypatch.setenv("FRAUDLAKE_LAKEHOUSE_CATALOG_URI", "postgresql://someone@127.0.0.1:1/lake")
    monkeypatch.setenv("FRAUDLAKE_LAKEHOUSE_WAREHOUSE", "/nowhere")

    result = publish(instance, "speed")

    assert [event.asset_key for event in result.get_asset_materialization_events()] == [RULES]
    [failure] = result.get_step_failure_events()
    assert failure.step_key == "iceberg__rulesets"
    assert "the Iceberg catalog does not answer" in str(failure.event_specific_data)
    known = read_published(Settings.from_env())
    assert known is not None
    assert known.source == "speed"

    monkeypatch.delenv("FRAUDLAKE_LAKEHOUSE_CATALOG_URI")
    monkeypatch.delenv("FRAUDLAKE_LAKEHOUSE_WAREHOUSE")
    again = dg.materialize([rulesets_table], instance=instance, resources={"rule_desk": RuleDesk()})
    assert told(again)["added"] == known.version


def test_rows_of_the_sink_are_those_of_the_tables_that_it_fills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A look at the sink told of the rule sets as if it had written them."""
    answer = {"tables": [{"table": name, "rows": 3} for name in ("decisions", "rulesets")]}
    monkeypatch.setattr(processes, "ask", lambda *words, log: answer)

    assert Sinks().count_rows(log=str) == {"decisions": 3}
