from __future__ import annotations

from typing import Any

import pytest

from sinks.alerts.mapping import (
    Change,
    compare_mappings,
    compare_settings,
    pick_fields,
    pick_settings,
)

KEYWORD = {"type": "keyword"}


def mapping(**fields: Any) -> dict[str, Any]:
    return {"dynamic": False, "properties": fields}


def test_mapping_as_elasticsearch_writes_it_is_no_difference() -> None:
    wanted = mapping(a={"type": "keyword", "ignore_above": 1024}, b={"properties": {"c": KEYWORD}})
    stored = {
        "dynamic": "false",
        "properties": {
            "b": {"properties": {"c": {"type": "keyword"}}},
            "a": {"type": "keyword", "ignore_above": 1024},
        },
    }

    assert compare_mappings(wanted, stored) == []


@pytest.mark.parametrize(
    ("wanted", "stored", "change"),
    [
        (
            {"a": KEYWORD},
            {},
            Change(what="a", text="a (keyword) is new", remedy="in place"),
        ),
        (
            {"a": {"properties": {"b": KEYWORD}}},
            {},
            Change(what="a.b", text="a.b (keyword) is new", remedy="in place"),
        ),
        (
            {"a": {"properties": {"b": KEYWORD}}},
            {"a": {"properties": {"b": {"type": "long"}}}},
            Change(what="a.b", text="a.b is long, shall be keyword", remedy="new index"),
        ),
        (
            {"a": {"properties": {"b": KEYWORD}}},
            {"a": KEYWORD},
            Change(what="a", text="a is keyword, shall be object", remedy="new index"),
        ),
        (
            {},
            {"a": KEYWORD},
            Change(what="a", text="a (keyword) is no longer in the template", remedy="new index"),
        ),
        (
            {"a": {"type": "keyword", "ignore_above": 10}},
            {"a": {"type": "keyword", "ignore_above": 20}},
            Change(what="a", text="a: ignore_above is 20, shall be 10", remedy="in place"),
        ),
        (
            {"a": {"type": "ip"}},
            {"a": {"type": "ip", "ignore_malformed": True}},
            Change(
                what="a", text="a: ignore_malformed is true, shall be not set", remedy="in place"
            ),
        ),
        (
            {"a": KEYWORD},
            {"a": {"type": "keyword", "doc_values": False}},
            Change(what="a", text="a: doc_values is false, shall be not set", remedy="new index"),
        ),
        (
            {"a": {"type": "text", "fields": {"raw": KEYWORD}}},
            {"a": {"type": "text"}},
            Change(what="a", text="a.raw (keyword) is new", remedy="in place"),
        ),
    ],
)
def test_each_difference_of_a_field_is_named_with_its_remedy(
    wanted: dict[str, Any], stored: dict[str, Any], change: Change
) -> None:
    assert compare_mappings(mapping(**wanted), mapping(**stored)) == [change]


def test_field_that_cannot_be_changed_in_place_is_not_changed_by_half() -> None:
    wanted = mapping(a={"type": "keyword", "ignore_above": 10, "doc_values": False})
    stored = mapping(a={"type": "keyword", "ignore_above": 20})

    remedies = {change.text: change.remedy for change in compare_mappings(wanted, stored)}

    assert remedies == {
        "a: doc_values is not set, shall be false": "new index",
        "a: ignore_above is 20, shall be 10": "new index",
    }


def test_what_somebody_set_beside_the_template_stays() -> None:
    stored = {**mapping(a=KEYWORD), "runtime": {"b": {"type": "long"}}, "_meta": {"by": "ann"}}

    assert compare_mappings(mapping(a=KEYWORD), stored) == []


SETTINGS = {"number_of_shards": 1, "refresh_interval": "1s", "sort.field": "@timestamp"}
STORED = {
    "index.number_of_shards": "1",
    "index.refresh_interval": "1s",
    "index.sort.field": ["@timestamp"],
    "index.uuid": "x",
    "index.blocks.write": "true",
    "index.number_of_replicas": "2",
}


def test_settings_as_elasticsearch_writes_them_are_no_difference() -> None:
    assert compare_settings(SETTINGS, STORED) == []
    nested = {"index": {"number_of_shards": 1, "sort": {"field": ["@timestamp"]}}}
    assert compare_settings({**nested, "index.refresh_interval": "1s"}, STORED) == []


@pytest.mark.parametrize(
    ("wanted", "change"),
    [
        (
            {**SETTINGS, "refresh_interval": "5s"},
            Change(
                what="index.refresh_interval",
                text="index.refresh_interval is 1s, shall be 5s",
                remedy="in place",
            ),
        ),
        (
            {**SETTINGS, "sort.field": "event.end"},
            Change(
                what="index.sort.field",
                text="index.sort.field is @timestamp, shall be event.end",
                remedy="new index",
            ),
        ),
        (
            {"number_of_shards": 1, "refresh_interval": "1s"},
            Change(
                what="index.sort.field",
                text="index.sort.field is @timestamp, shall be not set",
                remedy="new index",
            ),
        ),
        (
            {**SETTINGS, "codec": "best_compression"},
            Change(
                what="index.codec",
                text="index.codec is not set, shall be best_compression",
                remedy="new index",
            ),
        ),
    ],
)
def test_each_difference_of_a_setting_is_named_with_its_remedy(
    wanted: dict[str, Any], change: Change
) -> None:
    assert compare_settings(wanted, STORED) == [change]


def test_only_what_was_asked_for_is_put_in_place() -> None:
    fields = {
        "a": KEYWORD,
        "b": {"type": "nested", "dynamic": True, "properties": {"c": KEYWORD, "d": KEYWORD}},
        "e": {"properties": {"f": {"type": "text", "fields": {"raw": KEYWORD}}}},
    }

    assert pick_fields(fields, {"b.d", "e.f"}) == {
        "b": {"type": "nested", "properties": {"d": KEYWORD}},
        "e": {"properties": {"f": {"type": "text", "fields": {"raw": KEYWORD}}}},
    }
    assert pick_fields(fields, {"b"}) == {"b": {"type": "nested", "dynamic": True}}
    assert pick_settings(SETTINGS, {"index.refresh_interval"}) == {"index.refresh_interval": "1s"}
