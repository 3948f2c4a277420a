"""The JSON that is sent, kept beside the code, and its shape.

A wanted change: ``UPDATE_GOLDEN=1 pytest tests/sinks/dashboards`` writes ``deploy/kibana`` anew.
``dashboard.schema.json`` is the part of the Dashboards API that we use, written by hand after the
schemas of Kibana 9.5 (see ``sinks/dashboards/__init__.py``): it refuses every key it does not name.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pipelines.settings import Settings
from sinks.dashboards.catalog import DASHBOARDS, artifacts, write_files

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parents[3] / "deploy" / "kibana"
SCHEMA = json.loads(Path(__file__).with_name("dashboard.schema.json").read_text())
SHAPE = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)
FILES = sorted(GOLDEN.glob("dashboard-*.json"))


def test_files_are_what_the_code_says(settings: Settings, tmp_path: Path) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        for path in GOLDEN.glob("*.json"):
            path.unlink()
        write_files(settings, GOLDEN)
    write_files(settings, tmp_path / "new")

    written = {path.name: path.read_text() for path in (tmp_path / "new").iterdir()}
    assert {path.name: path.read_text() for path in GOLDEN.iterdir()} == written


def test_another_index_is_named_everywhere(settings: Settings, tmp_path: Path) -> None:
    other = Settings.from_env({"FRAUDLAKE_ELASTICSEARCH_INDEX": "eu-alerts"}, cwd=tmp_path)
    usual = [one.to_text().replace("fraud-alerts", "eu-alerts") for one in artifacts(settings)]
    assert [one.to_text() for one in artifacts(other)] == usual
    assert sum('"eu-alerts"' in text for text in usual) == 6  # two views, four rules


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dashboard_has_the_shape_of_the_api(path: Path) -> None:
    SHAPE.validate(json.loads(path.read_text()))


def test_shape_is_itself_well_formed() -> None:
    SHAPE.check_schema(SCHEMA)


def edit(*path: str | int, value: Any = None) -> Callable[[Any], None]:
    """Set, or without a value remove, what stands at ``path``."""

    def change(body: Any) -> None:
        inner = body
        for step in path[:-1]:
            inner = inner[step]
        if value is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value

    return change


METRIC = ("panels", 1, "config", "metrics", 0)
AGE = ("panels", 6, "config")
LIST = ("panels", 9, "config")
LINK = ("panels", 0, "config", "links", 0)


@pytest.mark.parametrize(
    "change",
    [
        edit("title"),
        edit("title", value=""),
        edit("colour", value="red"),
        edit("query", "language", value="kuery"),
        edit("query", value={"query": "", "language": "kql"}),
        edit("refresh_interval", "pause"),
        edit("pinned_panels", 0, "type", value="list"),
        edit("pinned_panels", 0, "width", value="huge"),
        edit("pinned_panels", 0, "config", "field_name"),
        edit("panels", 1, "grid", "w", value=49),
        edit("panels", 1, "grid", "h", value=0),
        edit("panels", 1, "type", value="lens"),
        edit("panels", 1, "config", "type", value="gauge"),
        edit("panels", 1, "config", "data_source", "type", value="esql"),
        edit("panels", 1, "config", "metrics", value=[]),
        edit(*METRIC, "type", value="secondary"),
        edit(*METRIC, "operation", value="cardinality"),
        edit(*METRIC, "operation", value="sum"),  # of no field
        edit(*METRIC, "operation", value="formula"),  # without one
        edit(*METRIC, "filter", "expression"),
        edit(*METRIC, "format", "type", value="money"),
        edit(*AGE, "layers", 0, "type", value="bars"),
        edit(*AGE, "layers", 0, "y", value=[]),
        edit(*AGE, "layers", 0, "x", "operation", value="ranges"),
        edit(*AGE, "layers", 0, "breakdown_by", "fields", value="fraud.band"),
        edit(*AGE, "layers", 0, "breakdown_by", "size", value=3),
        edit(*AGE, "layers", 0, "breakdown_by", "rank_by", "type", value="column"),
        edit(*LINK, "type", value="dashboard"),
        edit(*LINK, "destination"),
        edit("panels", 0, "config", "layout", value="diagonal"),
        edit(*LIST, "tabs", value=[]),
        edit(*LIST, "tabs", 0, "sort", 0, "direction", value="down"),
        edit(*LIST, "tabs", 0, "view_mode", value="table"),
    ],
)
def test_what_kibana_would_refuse_is_refused(change: Callable[[Any], None]) -> None:
    body = json.loads((GOLDEN / "dashboard-queue.json").read_text())
    change(body)
    with pytest.raises(jsonschema.ValidationError):
        SHAPE.validate(body)


@pytest.mark.parametrize("name", ["content", "settings"])
def test_text_without_its_parts_is_refused(name: str) -> None:
    """Kibana wants both; ours once had no settings, and the whole dashboard was refused."""
    body = json.loads((GOLDEN / "dashboard-rules.json").read_text())
    [text] = [panel["config"] for panel in body["panels"] if panel["type"] == "markdown"]
    del text[name]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, SCHEMA)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_fill_the_grid_without_overlap_or_hole(path: Path) -> None:
    body = json.loads(path.read_text())
    cells = [
        (x, y)
        for panel in body["panels"]
        for x in range(panel["grid"]["x"], panel["grid"]["x"] + panel["grid"]["w"])
        for y in range(panel["grid"]["y"], panel["grid"]["y"] + panel["grid"]["h"])
    ]
    height = max(y for _, y in cells) + 1
    assert sorted(cells) == [(x, y) for x in range(48) for y in range(height)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ids_are_given_once_and_data_views_and_links_lead_somewhere(path: Path) -> None:
    body = json.loads(path.read_text())
    ids = [one["id"] for one in (*body["panels"], *body["pinned_panels"])]
    assert len(ids) == len(set(ids))
    views = {json.loads(view.read_text())["id"] for view in GOLDEN.glob("data-view-*.json")}
    assert set(find(body, "ref_id", "data_view_id")) <= views
    others = {dashboard.id for dashboard in DASHBOARDS} - {f"fraudlake-{path.stem[10:]}"}
    assert set(find(body, "destination")) == others


def find(part: Any, *names: str) -> list[str]:
    """Every value under one of the names, wherever it stands."""
    if isinstance(part, list):
        return [value for item in part for value in find(item, *names)]
    if not isinstance(part, dict):
        return []
    here = [value for name, value in part.items() if name in names]
    return here + [found for value in part.values() for found in find(value, *names)]


def test_changed_bodies_are_copies(settings: Settings) -> None:
    """Nobody who edits what was handed out edits the dashboards themselves."""
    first = [one.body for one in artifacts(settings)]
    kept = copy.deepcopy(first)
    for body in first:
        body.clear()
    assert [one.body for one in artifacts(settings)] == kept
