from __future__ import annotations

from typing import Any

from sinks.alerts.differences import compare_inventory, compare_template
from sinks.alerts.document import SCHEMA_VERSION
from sinks.alerts.indices import read_month, sort_out
from sinks.alerts.template import StoredTemplate, build_template

ALIAS = "fraud-alerts"
TEMPLATE: dict[str, Any] = {
    "settings": {"refresh_interval": "1s"},
    "mappings": {"dynamic": False, "properties": {"a": {"type": "keyword"}}},
}


def compare(*indices: tuple[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    months = [read_month(ALIAS, name, {**in_step(), **body}) for name, body in indices]
    found = compare_inventory(ALIAS, TEMPLATE, sort_out(ALIAS, months))
    return [(one.index, one.text, one.remedy) for one in found]


def in_step() -> dict[str, Any]:
    return {
        "aliases": {ALIAS: {}},
        "settings": {"index.refresh_interval": "1s"},
        "mappings": {"dynamic": "false", "properties": {"a": {"type": "keyword"}}},
    }


def test_template_is_missing_another_one_or_the_same() -> None:
    ours = build_template(ALIAS)["_meta"]

    def compare_stored(digest: str, version: int) -> list[tuple[str, str]]:
        stored = StoredTemplate(digest=digest, schema_version=version)
        return [(one.text, one.remedy) for one in compare_template(ALIAS, ours, stored)]

    [missing] = compare_template(ALIAS, ours, None)
    assert (missing.text, missing.remedy) == ("template is missing", "in place")
    assert compare_stored(ours["digest"], SCHEMA_VERSION) == []
    for version in (0, 1, SCHEMA_VERSION):
        assert compare_stored("0123", version) == [
            ("template is not that of this release", "in place")
        ]
    [(newer, remedy)] = compare_stored("0123", 77)
    assert newer.startswith("template has schema version 77, this release has ")
    assert remedy == "by hand"


def test_months_in_step_have_no_differences() -> None:
    rebuilt: dict[str, Any] = {"aliases": {ALIAS: {}, "fraud-alerts-2026.11": {}}}

    assert compare(("fraud-alerts-2026.10", {}), ("fraud-alerts-r2.2026.11", rebuilt)) == []


def test_everything_out_of_step_is_named_month_by_month() -> None:
    blocked = {"index.refresh_interval": "9s", "index.blocks.write": "true"}
    mappings = {"dynamic": "false", "properties": {"a": {"type": "long"}}}

    assert compare(
        ("fraud-alerts-2026.10", {"aliases": {}, "settings": blocked}),
        ("fraud-alerts-r2.2026.11", {"mappings": mappings}),
        ("fraud-alerts-r3.2026.11", {"aliases": {"fraud-alerts-r3.2026.11-in-work": {}}}),
        ("fraud-alerts-r4.2026.11", {"aliases": {}}),
    ) == [
        (
            "fraud-alerts-2026.10",
            "alias fraud-alerts is missing: no search finds it",
            "in place",
        ),
        ("fraud-alerts-2026.10", "is closed to writing (index.blocks.write)", "in place"),
        (
            "fraud-alerts-2026.10",
            "index.refresh_interval is 9s, shall be 1s",
            "in place",
        ),
        (
            "fraud-alerts-r2.2026.11",
            "alias fraud-alerts-2026.11 is missing: the sink does not write to it",
            "in place",
        ),
        ("fraud-alerts-r2.2026.11", "a is long, shall be keyword", "new index"),
        (
            "fraud-alerts-r3.2026.11",
            "is a copy of fraud-alerts-2026.11 that was not finished, or is being made now",
            "in place",
        ),
        (
            "fraud-alerts-r4.2026.11",
            "was fraud-alerts-2026.11, and has no alias: give it back its aliases, or delete it",
            "by hand",
        ),
    ]


def test_month_that_others_closed_is_named_and_left_to_people() -> None:
    def of(name: str) -> tuple[str, dict[str, Any]]:
        return "fraud-alerts-2026.10", {"settings": {"index.refresh_interval": "1s", name: "true"}}

    assert compare(of("index.blocks.read_only")) == [
        (
            "fraud-alerts-2026.10",
            "is closed to writing (index.blocks.read_only): somebody keeps it from being written "
            "to",
            "by hand",
        )
    ]
    assert compare(of("index.blocks.read_only_allow_delete")) == [
        (
            "fraud-alerts-2026.10",
            "is closed to writing (index.blocks.read_only_allow_delete): the disk was nearly full; "
            "it goes when there is room",
            "by hand",
        )
    ]
    assert compare(of("index.verified_before_close")) == [
        (
            "fraud-alerts-2026.10",
            "is closed, neither read nor written: `POST /fraud-alerts-2026.10/_open` opens it",
            "by hand",
        )
    ]
    assert (
        compare(
            (
                "fraud-alerts-2026.10",
                {"settings": {"index.refresh_interval": "1s", "index.blocks.read_only": "false"}},
            )
        )
        == []
    )
