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
        "jobs": sorted(
            job.name for job in location.resolve_all_job_defs() if not job.name.startswith("__")
        ),
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
        assert spec.key.path[0] in {
            "kafka",
            "flink",
            "elasticsearch",
            "iceberg",
            "sinks",
        }, name


def test_only_the_tables_are_written_by_others_alone(location: dg.Definitions) -> None:
    assets = draw(location)["assets"]

    assert {name for name, asset in assets.items() if asset["external"]} == EXTERNAL
