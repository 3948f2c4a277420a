from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sinks.alerts.alert import parse_alert
from sinks.alerts.document import SCHEMA_VERSION, Origin, draft_document
from sinks.alerts.template import build_template
from sinks.alerts.travel import travel_of

if TYPE_CHECKING:
    from collections.abc import Callable


def test_template_names_alias_patterns_and_a_digest_of_itself() -> None:
    template = build_template("eu-alerts")

    assert template["index_patterns"] == ["eu-alerts-19*.*", "eu-alerts-2*.*"]
    assert template["template"]["aliases"] == {"eu-alerts": {}}
    assert template["template"]["settings"]["refresh_interval"] == "1s"
    assert template["template"]["mappings"]["dynamic"] is False
    assert template["_meta"]["digest"] == build_template("eu-alerts")["_meta"]["digest"]
    assert template["_meta"]["digest"] != build_template("us-alerts")["_meta"]["digest"]


def test_another_template_has_another_schema_version() -> None:
    """By its version alone an older sink knows that it must not put its own back.

    So who changes the template raises SCHEMA_VERSION, and writes the new pair here.
    """
    digest = build_template("fraud-alerts")["_meta"]["digest"]
    assert (SCHEMA_VERSION, digest[:16]) == (4, "bc67a2ecbd0e9bb4")


def test_every_field_of_a_document_is_mapped_and_nothing_else(
    make_value: Callable[..., bytes],
) -> None:
    origin = Origin(topic="alerts", partition=0, offset=0)
    document = draft_document(
        parse_alert(make_value()),
        origin=origin,
        index="fraud-alerts",
        travel=travel_of(parse_alert(make_value())),
    ).at(datetime(2026, 12, 1, tzinfo=UTC))
    written = set(_leaves(json.loads(document.body)["upsert"]))
    mapped = set(_mapped(build_template("x")["template"]["mappings"]["properties"]))

    # None of them yet in a fresh case.
    notes = {f"case.notes.{name}" for name in ("at", "by", "text")}
    names = ("id", "state", "at", "transactions", "sending", "hits")
    label = {f"case.label.{name}" for name in names}
    assert written - {"case.label"} | notes | label == mapped


_WHOLE = {"fraud.features", "source.geo.location", "fraud.travel.from", "fraud.travel.to"}


def _leaves(value: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, inner in value.items():
        path = f"{prefix}{name}"
        items = inner if isinstance(inner, list) else [inner]
        objects = [item for item in items if isinstance(item, dict)]
        if path in _WHOLE or not (objects or items == []):
            found.append(path)
        for item in objects if path not in _WHOLE else []:
            found += _leaves(item, f"{path}.")
    return found


def _mapped(properties: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, field in properties.items():
        path = f"{prefix}{name}"
        found += _mapped(field["properties"], f"{path}.") if "properties" in field else [path]
    return found
