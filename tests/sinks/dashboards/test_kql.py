"""KQL as Kibana means it: each query beside what Elasticsearch is asked, written by hand."""

from __future__ import annotations

import pytest

from pipelines.errors import TerminalError
from sinks.dashboards.kql import fields_of, parse_kql


def match(field: str, value: str) -> dict[str, object]:
    return {"match": {field: value}}


def any_of(*queries: object) -> dict[str, object]:
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {"match_all": {}}),
        ("  ", {"match_all": {}}),
        ("a.b: c", match("a.b", "c")),
        ("a:c", match("a", "c")),
        ('a: "in progress"', match("a", "in progress")),
        ('a: "and"', match("a", "and")),
        ("a: *", {"exists": {"field": "a"}}),
        ("a: (x or y or z)", any_of(match("a", "x"), match("a", "y"), match("a", "z"))),
        ("a > 5", {"range": {"a": {"gt": "5"}}}),
        ("a>=5", {"range": {"a": {"gte": "5"}}}),
        ("a < 5", {"range": {"a": {"lt": "5"}}}),
        ('@timestamp <= "now-15m"', {"range": {"@timestamp": {"lte": "now-15m"}}}),
        ("not a: x", {"bool": {"must_not": [match("a", "x")]}}),
        ("a: x and b: y", {"bool": {"filter": [match("a", "x"), match("b", "y")]}}),
        # `and` binds more tightly than `or`, `not` more tightly than both.
        (
            "a: x or not b: y and c: z",
            any_of(
                match("a", "x"),
                {"bool": {"filter": [{"bool": {"must_not": [match("b", "y")]}}, match("c", "z")]}},
            ),
        ),
        (
            "(a: x or b: y) and c: z",
            {"bool": {"filter": [any_of(match("a", "x"), match("b", "y")), match("c", "z")]}},
        ),
    ],
)
def test_query_means_what_kibana_means_by_it(text: str, query: dict[str, object]) -> None:
    assert parse_kql(text) == query


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "':' must stand where 'the end' stands"),
        ("a:", "a value must stand where 'the end' stands"),
        ("a: x b: y", "'b' is too much"),
        ("a: (x or y", r"'\)' must stand where 'the end' stands"),
        ("a: and", "a value must stand where 'and' stands"),
        ("a: x*", r"'\*' is too much"),
        ('a: "x', "which is no word, sign or quoted text"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, why: str) -> None:
    with pytest.raises(TerminalError, match=why):
        parse_kql(text)


def test_fields_are_those_asked_for() -> None:
    assert fields_of('not (a.b: x or c: *) and @timestamp < "now"') == {"a.b", "c", "@timestamp"}
