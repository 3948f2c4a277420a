"""``fraudlake bench dagster``: each figure beside its target, and the worst one counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bench import control_plane
from bench.control_plane import ControlPlaneCost, Memory, Times
from fraudlake.cli import app
from fraudlake.commands import bench_dagster
from fraudlake.stack.supervisor import Supervisor

if TYPE_CHECKING:
    from pathlib import Path

LINE = "job RUNNING; 9 alerts"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))


def cost(*, load: float = 3.0, pss_mb: float | None = 500.0) -> ControlPlaneCost:
    return ControlPlaneCost(
        load=Times(seconds=(2.0, load, 2.5)),
        tick_up=Times(seconds=(2.1, 0.5, 0.6)),
        line_up=LINE,
        tick_silent=Times(seconds=(5.0, 5.1, 5.0)),
        line_silent="no Kafka broker answers",
        memory=Memory(processes=5, pss_mb=pss_mb, rss_mb=901.0),
    )


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (cost(), {"a tick, all servers up"}),
        (cost(load=6.1), {"the graph loads", "a tick, all servers up"}),
        (
            cost(pss_mb=None),
            {"memory of web server, daemon and code", "a tick, all servers up"},
        ),
    ],
)
def test_worst_of_each_is_held_against_its_target(
    monkeypatch: pytest.MonkeyPatch, found: ControlPlaneCost, missed: set[str]
) -> None:
    monkeypatch.setattr(bench_dagster, "_find_dagster", lambda home: 1)
    monkeypatch.setattr(control_plane, "measure_control_plane", lambda settings, **_: found)

    answer = json.loads(CliRunner().invoke(app, ["bench", "dagster", "--json"]).stdout)
    assert {name for name, is_met in answer["targets_met"].items() if not is_met} == missed
    assert answer["tick_up"] == {"seconds": [2.1, 0.5, 0.6]}

    shown = CliRunner().invoke(app, ["bench", "dagster"], terminal_width=120).stdout
    assert shown.count("missed") == len(missed)
    assert f"the last tick with servers up: {LINE}" in shown


def test_without_a_running_dagster_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Supervisor, "is_running", lambda supervisor: False)
    said = CliRunner().invoke(app, ["bench", "dagster"])
    assert said.exit_code != 0
    assert "fraudlake up --ui" in str(said.exception)
