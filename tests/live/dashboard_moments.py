"""What dashboards and rules say at other moments than this one: later, or of alerts long ago."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sinks.dashboards.alerting import alerting_rules
from sinks.dashboards.panel_search import chart_search, read_rows
from sinks.dashboards.queue import AGE, OPEN, QUEUE

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.lakehouse.query.lake import Lake


def assert_rules_call_when_they_should(
    client: Elasticsearch,
    settings: Settings,
    lake: Lake,
    documents: dict[str, dict[str, Any]],
) -> None:
    """Each rule's own query, at moments at which it must call somebody and must not."""
    last = max(datetime.fromisoformat(one["event"]["ingested"]) for one in documents.values())
    count = len(documents)
    near = {limit: replace(settings.kibana, spike_alerts=limit) for limit in (count - 1, count)}
    ((critical, grown),) = ask(
        lake,
        "SELECT count(*) FILTER (status = 'open'), count(*) FILTER (hits > judged_hits) "
        "FROM alerts WHERE band = 'block'",
    )
    for name, limit, minutes, expected, calls in (
        ("critical-open", count, 16, critical, True),
        ("critical-open", count, 0, 0, False),
        ("grown", count, 0, grown, True),
        ("grown", count, 8 * 24 * 60, 0, False),
        ("spike", count - 1, 0, count, True),
        ("spike", count, 0, count, False),
        ("spike", count - 1, 6, 0, False),
        ("silence", count, 0, count, False),
        ("silence", count, 11, 0, True),
    ):
        (rule,) = (one for one in alerting_rules(near[limit]) if one.name == name)
        query: Any = freeze(rule.count_query(), last + timedelta(minutes=minutes, seconds=1))
        found = client.count(index=settings.elasticsearch.index, query=query)["count"]
        assert (found, rule.calls(found)) == (expected, calls), (name, limit, minutes)


def assert_what_waits_for_long_is_in_the_queue(client: Elasticsearch, settings: Settings) -> None:
    """An alert of 45 days ago that is still open; its month is never deleted for its sake."""
    index = settings.elasticsearch.index

    def waiting() -> tuple[float, float]:
        """Open alerts, and those of them that are older than 30 days."""
        rows = {
            chart.id: read_rows(
                chart, client.search(index=index, **chart_search(chart, QUEUE)).body
            )
            for chart in (OPEN, AGE)
        }
        ages = [row.values[0] or 0 for row in rows["age"] if "over 30 days" in row.keys]
        return rows["open"][0].values[0] or 0, sum(ages)

    before, old = waiting()
    assert old == 0
    hit = client.search(index=index, size=1, query={"term": {"case.status": "open"}})
    [found] = hit["hits"]["hits"]
    opened = datetime.now(UTC) - timedelta(days=45)
    document = {**found["_source"], "@timestamp": opened.isoformat(timespec="milliseconds")}
    client.index(index=found["_index"], id="of-old", document=document, refresh=True)

    assert waiting() == (before + 1, 1)


def ask(lake: Lake, sql: str, moment: datetime | None = None) -> list[tuple[Any, ...]]:
    values = {"moment": moment} if "$moment" in sql else {}
    return lake.connection.execute(sql, values).fetchall()


def freeze(body: object, moment: datetime) -> object:
    """The same search as of ``moment``: each ``now`` in it replaced."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%SZ||")
    return json.loads(re.sub(r'"now(?=[-"])', f'"{text}', json.dumps(body)))
