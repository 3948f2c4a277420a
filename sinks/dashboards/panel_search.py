"""What a panel asks Elasticsearch, without a Kibana: its search, and the rows it would show.

Kibana builds the same aggregations from the same JSON in the browser. Where it has a choice that
changes no number (names of aggregations, how queries are nested), the simpler way is taken here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from sinks.dashboards.buckets import Bucket, Choices, OverTime, Terms
from sinks.dashboards.kql import parse_kql
from sinks.dashboards.measures import Measure, Ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sinks.dashboards.dashboard import Dashboard
    from sinks.dashboards.fields import Json
    from sinks.dashboards.panels import Chart, Documents

_BUCKET = "bucket"
_AGGREGATIONS = {
    "sum": "sum",
    "average": "avg",
    "min": "min",
    "max": "max",
    "unique_count": "cardinality",
}
Key = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """One bar, point or row of a table: what it stands for, and the value of each measure."""

    keys: tuple[Key, ...]
    """One for each bucket, the outer one first; times in milliseconds since 1970."""
    values: tuple[float | None, ...]
    """One for each measure; None where there is nothing to compute it from."""


def chart_search(chart: Chart, dashboard: Dashboard) -> Json:
    """The body of the search for a chart of ``dashboard``, over its time range."""
    return {
        "size": 0,
        "track_total_hits": True,
        "query": _narrow(chart.query, dashboard),
        "aggs": _aggregate(chart.buckets, chart.measures, dashboard),
    }


def documents_search(panel: Documents, dashboard: Dashboard, *, size: int) -> Json:
    """The body of the search for the alerts that a panel of ``dashboard`` lists."""
    return {
        "size": size,
        "track_total_hits": True,
        "query": _narrow(panel.query, dashboard),
        "sort": [{order.field: {"order": order.direction}} for order in panel.order],
        "_source": list(panel.columns),
    }


def read_rows(chart: Chart, answer: Mapping[str, Any]) -> list[ChartRow]:
    """The rows of a chart, from the answer to its search; without buckets, one row."""
    whole = {**answer["aggregations"], "doc_count": answer["hits"]["total"]["value"]}
    return list(_rows(chart.buckets, chart.measures, whole, ()))


def _narrow(kql: str, dashboard: Dashboard) -> Json:
    reach = {"gte": dashboard.since, "lte": "now"}
    time: Json = {"range": {dashboard.data_view.time_field: reach}}
    return {"bool": {"filter": [time, parse_kql(kql)]}}


def _aggregate(
    buckets: Sequence[Bucket], measures: Sequence[Measure | Ratio], dashboard: Dashboard
) -> Json:
    if buckets:
        bucket, *inner = buckets
        return {
            _BUCKET: {
                **_group(bucket, measures[0]),
                "aggs": {
                    **_aggregate(inner, measures, dashboard),
                    # Terms are ranked by the first measure, which must stand beside them for that.
                    **(_measure_aggregations(measures[:1], dashboard) if inner else {}),
                },
            }
        }
    return _measure_aggregations(measures, dashboard)


def _group(bucket: Bucket, first: Measure | Ratio) -> Json:
    match bucket:
        case Terms():
            order = {_rank(first): "desc"}
            return {"terms": {"field": bucket.field, "size": bucket.limit, "order": order}}
        case OverTime():
            interval = {"field": bucket.field, "fixed_interval": bucket.interval}
            return {"date_histogram": {**interval, "min_doc_count": 1}}
        case Choices():
            named = {choice.label: parse_kql(choice.where) for choice in bucket.choices}
            return {"filters": {"filters": named}}
    assert_never(bucket)


def _rank(first: Measure | Ratio) -> str:
    """Terms are ranked by the first measure."""
    if _is_plain_count(first):
        return "_count"
    is_inside = isinstance(first, Measure) and first.operation != "count" and _is_narrowed(first)
    return "m0>m" if is_inside else "m0"


def _is_narrowed(measure: Measure) -> bool:
    return measure.where != "" or measure.within is not None


def _is_plain_count(measure: Measure | Ratio) -> bool:
    return (
        isinstance(measure, Measure) and measure.operation == "count" and not _is_narrowed(measure)
    )


def _measure_aggregations(measures: Sequence[Measure | Ratio], dashboard: Dashboard) -> Json:
    found: Json = {}
    for at, measure in enumerate(measures):
        if isinstance(measure, Ratio):
            found[f"m{at}"] = {"filter": parse_kql(measure.part)}
            found[f"m{at}of"] = {"filter": parse_kql(measure.whole)}
        elif _is_narrowed(measure):
            filters = [parse_kql(measure.where)]
            if measure.within is not None:
                reach = {"gte": f"now-{measure.within}", "lte": "now"}
                filters.append({"range": {dashboard.data_view.time_field: reach}})
            narrowed: Json = {"filter": {"bool": {"filter": filters}}}
            inner = {} if measure.operation == "count" else {"aggs": {"m": _compute(measure)}}
            found[f"m{at}"] = {**narrowed, **inner}
        elif measure.operation != "count":
            found[f"m{at}"] = _compute(measure)
    return found


def _compute(measure: Measure) -> Json:
    if measure.operation in {"median", "percentile"}:
        percent = 50.0 if measure.percentile is None else measure.percentile
        return {"percentiles": {"field": measure.field, "percents": [percent], "keyed": False}}
    return {_AGGREGATIONS[measure.operation]: {"field": measure.field}}


def _rows(
    buckets: Sequence[Bucket],
    measures: Sequence[Measure | Ratio],
    found: Mapping[str, Any],
    keys: tuple[Key, ...],
) -> Iterator[ChartRow]:
    if not buckets:
        values = tuple(_value(measure, found, at) for at, measure in enumerate(measures))
        yield ChartRow(keys=keys, values=values)
        return
    for key, group in _groups(found[_BUCKET]["buckets"]):
        if group["doc_count"] > 0:
            yield from _rows(buckets[1:], measures, group, (*keys, key))


def _groups(buckets: Any) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """Terms and times come as a list with keys, queries as an object by name."""
    if isinstance(buckets, dict):
        yield from buckets.items()
    else:
        for group in buckets:
            yield group["key"], group


def _value(measure: Measure | Ratio, found: Mapping[str, Any], at: int) -> float | None:
    if isinstance(measure, Ratio):
        whole = found[f"m{at}of"]["doc_count"]
        return None if whole == 0 else found[f"m{at}"]["doc_count"] / whole
    if _is_plain_count(measure):
        return float(found["doc_count"])
    answer = found[f"m{at}"]
    if measure.operation == "count":
        return float(answer["doc_count"])
    return _number(answer["m"] if _is_narrowed(measure) else answer)


def _number(answer: Mapping[str, Any]) -> float | None:
    value = answer["values"][0]["value"] if "values" in answer else answer["value"]
    return None if value is None else float(value)
