"""Searches and answers of single panels, worked out by hand; all of them run in ``tests/live``."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.dashboards.buckets import Choice, Choices, OverTime, Terms
from sinks.dashboards.dashboard import Dashboard
from sinks.dashboards.data_views import BY_ARRIVAL
from sinks.dashboards.measures import Measure, Ratio
from sinks.dashboards.panel_search import ChartRow, chart_search, documents_search, read_rows
from sinks.dashboards.panels import Documents, Graph, Number, Order, Table

HERE = Dashboard(
    name="here",
    title="Here",
    description="",
    data_view=BY_ARRIVAL,
    since="now-3h",
    controls=(),
    rows=(),
)
RANGE = {"range": {"event.ingested": {"gte": "now-3h", "lte": "now"}}}
ALL: dict[str, Any] = {"match_all": {}}
FRAUD = {"match": {"case.verdict": "fraud"}}


def measure(operation: Any = "count", **more: Any) -> Measure:
    return Measure(label="M", operation=operation, **more)


@pytest.mark.parametrize(
    ("wanted", "aggregation", "answer", "value"),
    [
        (measure(), None, None, 7.0),
        (measure("sum", field="a"), {"sum": {"field": "a"}}, {"value": 2.5}, 2.5),
        (measure("average", field="a"), {"avg": {"field": "a"}}, {"value": None}, None),
        (measure("unique_count", field="a"), {"cardinality": {"field": "a"}}, {"value": 3}, 3.0),
        (
            measure("percentile", field="a", percentile=99),
            {"percentiles": {"field": "a", "percents": [99], "keyed": False}},
            {"values": [{"key": 99.0, "value": 12.0}]},
            12.0,
        ),
        (
            measure("median", field="a"),
            {"percentiles": {"field": "a", "percents": [50.0], "keyed": False}},
            {"values": [{"key": 50.0, "value": 4.0}]},
            4.0,
        ),
        (
            measure(where="case.verdict: fraud"),
            {"filter": {"bool": {"filter": [FRAUD]}}},
            {"doc_count": 4},
            4.0,
        ),
        (
            measure(within="10m"),
            {
                "filter": {
                    "bool": {
                        "filter": [
                            ALL,
                            {"range": {"event.ingested": {"gte": "now-10m", "lte": "now"}}},
                        ]
                    }
                }
            },
            {"doc_count": 0},
            0.0,
        ),
        (
            measure("sum", field="a", where="case.verdict: fraud"),
            {"filter": {"bool": {"filter": [FRAUD]}}, "aggs": {"m": {"sum": {"field": "a"}}}},
            {"doc_count": 4, "m": {"value": 9.0}},
            9.0,
        ),
    ],
)
def test_measure_is_asked_for_and_read(
    wanted: Measure, aggregation: object, answer: object, value: float | None
) -> None:
    number = Number(id="n", measures=(wanted,), query="fraud.band: block")
    body = chart_search(number, HERE)

    assert body["size"] == 0
    assert body["query"] == {"bool": {"filter": [RANGE, {"match": {"fraud.band": "block"}}]}}
    assert body["aggs"] == ({} if aggregation is None else {"m0": aggregation})
    found = {} if answer is None else {"m0": answer}
    assert rows(number, found, total=7) == [ChartRow(keys=(), values=(value,))]


def rows(chart: Any, aggregations: dict[str, Any], *, total: int) -> list[ChartRow]:
    return read_rows(chart, {"hits": {"total": {"value": total}}, "aggregations": aggregations})


@pytest.mark.parametrize(("fraud", "judged", "value"), [(3, 4, 0.75), (0, 4, 0.0), (0, 0, None)])
def test_ratio_of_nothing_is_nothing(fraud: int, judged: int, value: float | None) -> None:
    ratio = Ratio(label="Precision", part="case.verdict: fraud", whole="case.verdict: *")
    number = Number(id="n", measures=(ratio,))

    assert ratio.formula == "count(kql='case.verdict: fraud') / count(kql='case.verdict: *')"
    assert chart_search(number, HERE)["aggs"] == {
        "m0": {"filter": FRAUD},
        "m0of": {"filter": {"exists": {"field": "case.verdict"}}},
    }
    found = {"m0": {"doc_count": fraud}, "m0of": {"doc_count": judged}}
    assert rows(number, found, total=9)[0].values == (value,)


def test_groups_stand_inside_each_other_and_the_largest_are_chosen_by_the_first_measure() -> None:
    money = measure("sum", field="money")
    graph = Graph(
        id="g",
        title="G",
        kind="bar",
        x=OverTime(label="Time", field="event.ingested", interval="1m"),
        split=Terms(label="Band", field="fraud.band", limit=2),
        measures=(money,),
    )
    summed = {"sum": {"field": "money"}}
    assert chart_search(graph, HERE)["aggs"] == {
        "bucket": {
            "terms": {"field": "fraud.band", "size": 2, "order": {"m0": "desc"}},
            "aggs": {
                "bucket": {
                    "date_histogram": {
                        "field": "event.ingested",
                        "fixed_interval": "1m",
                        "min_doc_count": 1,
                    },
                    "aggs": {"m0": summed},
                },
                "m0": summed,
            },
        }
    }
    minute = {"key": 60_000, "key_as_string": "...", "doc_count": 2, "m0": {"value": 5.0}}
    answer = {"buckets": [{"key": "block", "doc_count": 2, "bucket": {"buckets": [minute]}}]}
    assert rows(graph, {"bucket": answer}, total=2) == [
        ChartRow(keys=("block", 60_000), values=(5.0,))
    ]


def test_choices_keep_their_order_and_empty_ones_are_left_out() -> None:
    choices = Choices(
        label="C",
        choices=(Choice(label="few", where="n < 3"), Choice(label="many", where="n >= 3")),
    )
    table = Table(id="t", title="T", rows=(choices,), measures=(measure(),))

    assert chart_search(table, HERE)["aggs"] == {
        "bucket": {
            "filters": {
                "filters": {
                    "few": {"range": {"n": {"lt": "3"}}},
                    "many": {"range": {"n": {"gte": "3"}}},
                }
            },
            "aggs": {},
        }
    }
    answer = {"buckets": {"few": {"doc_count": 0}, "many": {"doc_count": 8}}}
    assert rows(table, {"bucket": answer}, total=8) == [ChartRow(keys=("many",), values=(8.0,))]


@pytest.mark.parametrize(
    ("first", "order"),
    [
        (measure(), "_count"),
        (measure("max", field="a"), "m0"),
        (measure(where="a: x"), "m0"),
        (measure("sum", field="a", where="a: x"), "m0>m"),
    ],
)
def test_terms_are_ranked_by_their_first_measure(first: Measure, order: str) -> None:
    table = Table(
        id="t", title="T", rows=(Terms(label="A", field="a", limit=5),), measures=(first, measure())
    )
    aggs: Any = chart_search(table, HERE)["aggs"]
    assert aggs["bucket"]["terms"]["order"] == {order: "desc"}


def test_list_is_sorted_and_asks_for_its_columns_only() -> None:
    panel = Documents(
        id="d",
        title="D",
        columns=("fraud.score", "fraud.band"),
        order=(Order(field="fraud.score", direction="desc"),),
    )
    assert documents_search(panel, HERE, size=5) == {
        "size": 5,
        "track_total_hits": True,
        "query": {"bool": {"filter": [RANGE, ALL]}},
        "sort": [{"fraud.score": {"order": "desc"}}],
        "_source": ["fraud.score", "fraud.band"],
    }
