from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
import typer.main

from fraudlake.cli import app
from orchestration.defs.sinks import (
    Action,
    SinkOperation,
    Which,
    alerts_sink,
    lakehouse_sink,
    operate_sinks,
)
from orchestration.failures import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class FakeSinks:
    """Does what it is told, unless the sinks run elsewhere."""

    def __init__(self, *, elsewhere: bool = False) -> None:
        self.elsewhere = elsewhere
        self.asked: list[tuple[str, ...]] = []

    def run_elsewhere(self) -> bool:
        return self.elsewhere

    def act(
        self, action: str, *names: str, log: Callable[[str], object]
    ) -> Sequence[Mapping[str, Any]]:
        self.asked.append((action, *names))
        is_on = action != "stop"
        return [
            {
                "part": f"{name}-sink",
                "outcome": "started" if is_on else "stopped",
                "pid": 41 if is_on else None,
                "uptime_seconds": 2,
                "log": f"/logs/{name}-sink.log",
            }
            for name in names or ("lakehouse", "alerts")
        ]

    def count_rows(self, *, log: Callable[[str], object]) -> Mapping[str, int]:
        return {"decisions": 7, "labels": 0}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory, closed with the test."""
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def test_sink_is_started_and_its_tables_are_told_of(instance: dg.DagsterInstance) -> None:
    sinks = FakeSinks()

    result = dg.materialize([lakehouse_sink], instance=instance, resources={"sinks": sinks})

    assert sinks.asked == [("start", "lakehouse")]
    told = {
        "/".join(event.asset_key.path): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert told == {
        "iceberg/decisions": {"dagster/row_count": 7},
        "iceberg/labels": {"dagster/row_count": 0},
        "sinks/lakehouse": {
            "done": "started",
            "log": "/logs/lakehouse-sink.log",
            "process": 41,
            "up for, seconds": 2,
        },
    }


def test_another_look_at_the_sink_makes_no_table_fresh(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        dg.materialize([lakehouse_sink], instance=instance, resources={"sinks": FakeSinks()})

    key = dg.AssetKey(["iceberg", "decisions"])
    assert len(instance.fetch_materializations(key, limit=5).records) == 1


def test_sink_that_runs_elsewhere_is_left_alone_and_the_page_says_where_to_turn(
    instance: dg.DagsterInstance,
) -> None:
    sinks = FakeSinks(elsewhere=True)

    result = dg.materialize([alerts_sink], instance=instance, resources={"sinks": sinks})

    assert sinks.asked == []
    (event,) = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    assert metadata["done"] == "nothing: the sink is run elsewhere, and was not looked at"
    assert "docker compose restart alerts-sink" in str(metadata["run by"])


@pytest.mark.parametrize(
    ("config", "asked", "observed"),
    [
        (
            SinkOperation(),
            ("restart",),
            {"sinks/lakehouse": "started", "sinks/alerts": "started"},
        ),
        (
            SinkOperation(action=Action.STOP, sink=Which.ALERTS),
            ("stop", "alerts"),
            {"sinks/alerts": "stopped"},
        ),
    ],
)
def test_sinks_are_operated_as_configured_and_observed(
    config: SinkOperation,
    asked: tuple[str, ...],
    observed: dict[str, str],
    instance: dg.DagsterInstance,
) -> None:
    sinks = FakeSinks()

    result = operate_sinks.execute_in_process(
        instance=instance,
        resources={"sinks": sinks},
        run_config=dg.RunConfig(ops={"operate": config}),
    )

    assert sinks.asked == [asked]
    seen = [
        event.asset_observation_data.asset_observation
        for event in result.get_asset_observation_events()
    ]
    assert {"/".join(one.asset_key.path): one.metadata["done"].value for one in seen} == observed


def test_words_for_the_sinks_are_understood_by_the_command_line() -> None:
    command = typer.main.get_command(app)
    context = command.make_context("fraudlake", ["sink", "start"])
    group = command.get_command(context, "sink")  # type: ignore[attr-defined]
    for action in Action:
        for words in (["--json"], *([which.value, "--json"] for which in Which)):
            if "both" not in words:
                subcommand = group.get_command(context, action.value)
                subcommand.make_context(action.value, list(words))
    start = group.get_command(context, "start")
    start.make_context("start", ["alerts", "--unless-stopped", "--json"])


def test_sink_whose_servers_are_away_is_tried_again() -> None:
    for asset in (lakehouse_sink, alerts_sink):
        assert asset.op.retry_policy == PATIENCE
