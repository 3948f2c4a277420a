"""The shape of the graph, and the rules of the house every asset keeps.

A wanted change of the shape: ``UPDATE_GOLDEN=1 pytest tests/orchestration`` writes the file anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs

GOLDEN = Path(__file__).with_name("asset_graph.json")
SYSTEMS = {
    "kafka",
    "flink",
    "elasticsearch",
    "iceberg",
    "rules",
    "reconciliation",
    "sinks",
    "kibana",
}
QUIET = {"iceberg/dead_letters"}
"""External, and as it should be when nothing ever comes."""
EXTERNAL = {"iceberg/decisions", "iceberg/dead_letters", "iceberg/labels"}


@pytest.fixture(scope="module")
def location() -> dg.Definitions:
    return defs()


def draw(location: dg.Definitions) -> dict[str, Any]:
    graph = location.resolve_asset_graph()
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "kinds": sorted(node.kinds),
                "owners": sorted(node.owners),
                "after": sorted(key.to_user_string() for key in node.parent_keys),
                "external": not node.is_materializable,
                "about": (node.description or "").split("\n", 1)[0],
            }
            for node in sorted(graph.asset_nodes, key=lambda node: node.key)
        },
        "checks": sorted(
            f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys
        ),
        "jobs": sorted(
            job.name for job in location.resolve_all_job_defs() if not job.name.startswith("__")
        ),
        "sensors": sorted(sensor.name for sensor in location.sensors or ()),
        "schedules": sorted(schedule.name for schedule in location.schedules or ()),
    }


def test_code_location_loads_without_any_server_or_setting(
    location: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A setting that from_env would refuse: nothing may have read it.
    monkeypatch.setenv("FRAUDLAKE_KAFKA_PARTITIONS", "many")

    dg.Definitions.validate_loadable(defs())


def test_graph_is_the_one_agreed_on(location: dg.Definitions) -> None:
    drawn = draw(location)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(drawn, indent=2, ensure_ascii=False) + "\n")

    assert drawn == json.loads(GOLDEN.read_text())


def test_every_asset_says_what_it_is_whose_and_of_what_kind(location: dg.Definitions) -> None:
    for spec in location.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert len(spec.description or "") > 80, name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.group_name in {"ingest", "stream", "alerts", "lakehouse"}, name
        assert {"written by", "command"} & spec.metadata.keys(), name
        assert spec.key.path[0] in SYSTEMS, name


def test_only_the_tables_are_written_by_others_alone(location: dg.Definitions) -> None:
    assets = draw(location)["assets"]

    assert {name for name, asset in assets.items() if asset["external"]} == EXTERNAL


def test_every_table_that_others_write_says_how_old_it_may_be(location: dg.Definitions) -> None:
    for spec in location.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        if name in EXTERNAL:
            assert (spec.freshness_policy is None) is (name in QUIET), name


def test_everything_that_watches_or_keeps_up_is_on_from_the_start(location: dg.Definitions) -> None:
    for sensor in location.sensors or ():
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name
    for schedule in location.schedules or ():
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING, schedule.name


def test_every_check_says_what_it_judges(location: dg.Definitions) -> None:
    graph = location.resolve_asset_graph()
    for key in graph.asset_check_keys:
        spec = graph.get(key).check_spec if hasattr(graph.get(key), "check_spec") else None
        description = graph.get(key).description if spec is None else spec.description
        assert len(description or "") > 30, key


def test_tables_show_their_columns_and_what_each_means(location: dg.Definitions) -> None:
    [spec] = [
        spec
        for spec in location.resolve_all_asset_specs()
        if spec.key == dg.AssetKey(["iceberg", "decisions"])
    ]
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    card = columns["card_id"]
    assert (card.type, card.description) == ("string", "A token, never a card number.")
    assert (card.constraints.nullable, columns["alert_id"].constraints.nullable) == (False, True)
