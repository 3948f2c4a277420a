"""Faults in a dashboard's own code are found when it is built, not by Kibana."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from sinks.dashboards.catalog import DASHBOARDS
from sinks.dashboards.dashboard import Dashboard, Row
from sinks.dashboards.kql import fields_of
from sinks.dashboards.measures import Measure
from sinks.dashboards.panels import Number, Text

NOTE = Text(id="note", content="A note")
COUNT = Measure(label="Alerts")


@pytest.mark.parametrize(
    "build",
    [
        lambda: Row(height=4, panels=(NOTE, NOTE), widths=(24, 23)),
        lambda: Row(height=4, panels=(NOTE, NOTE), widths=(48,)),
        lambda: Row(height=4, panels=(NOTE, NOTE), widths=(48, 0)),
        lambda: Row(height=0, panels=(NOTE,), widths=(48,)),
        lambda: Measure(label="Sum of nothing", operation="sum"),
        lambda: Measure(label="Count of a field", field="fraud.hits"),
        lambda: Measure(label="Which one?", operation="percentile", field="sink.delay_ms"),
        lambda: Measure(label="Of what?", operation="sum", field="fraud.hits", percentile=5),
        lambda: Number(id="three", measures=(COUNT, COUNT, COUNT)),
        lambda: Number(id="none", measures=()),
    ],
)
def test_what_cannot_be_shown_cannot_be_built(build: Any) -> None:
    with pytest.raises(ValueError, match=r"row of|measure"):
        build()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_fields_that_are_checked_are_those_in_the_json(dashboard: Dashboard) -> None:
    """``uses`` is what the live test checks; here it is held against the JSON that is sent."""
    named = set(read_fields(dashboard.to_json())) | {dashboard.data_view.time_field}
    assert {use.name for use in dashboard.uses()} == named


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)
def test_every_field_is_in_the_index_template(dashboard: Dashboard) -> None:
    template = resources.files("sinks.alerts").joinpath("index_template.json").read_text()
    mapped = set(flatten(json.loads(template)["mappings"]["properties"]))
    assert {use.name for use in dashboard.uses()} <= mapped


def read_fields(part: Any, name: str = "") -> list[str]:
    """Every field that the JSON names, wherever it stands."""
    if isinstance(part, list):
        return [field for item in part for field in read_fields(item, name)]
    if isinstance(part, dict):
        sorted_by = [part["name"]] if part.keys() == {"name", "direction"} else []
        inner = [read_fields(value, key) for key, value in part.items()]
        return sorted_by + [field for fields in inner for field in fields]
    if name in {"field", "fields", "field_name", "column_order"}:
        return [part]
    queries = {"expression": [part], "formula": str(part).split("'")[1::2]}.get(name, [])
    return [field for kql in queries for field in fields_of(kql)]


def flatten(properties: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for name, mapping in properties.items():
        inner = mapping.get("properties")
        names += [prefix + name] if inner is None else flatten(inner, f"{prefix}{name}.")
    return names
