"""Every panel of every dashboard, asked of a real Elasticsearch over alerts of the real pipeline.

What it answers must equal what DuckDB says of the decisions in Iceberg. What Iceberg does not know
is taken from where it was made: verdicts and assignments from this test, which gave them; when a
document arrived from the documents, read one by one. Nothing may be empty.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dashboard_moments import (
    ask,
    assert_rules_call_when_they_should,
    assert_what_waits_for_long_is_in_the_queue,
    freeze,
)
from dashboard_numbers import COUNTS, LISTS
from pipeline_runs import running_job, running_sinks

from fraudlake.cases.payments import read_flagged
from pipelines.generator import GeneratorOptions, generate
from pipelines.pacing import Pace
from pipelines.producer import produce
from pipelines.sender import KafkaSender
from sinks.alerts.cases import assign
from sinks.alerts.client import connect
from sinks.alerts.growth import EXACT_TO
from sinks.alerts.verdicts import give_verdict
from sinks.dashboards.catalog import DASHBOARDS
from sinks.dashboards.panel_search import chart_search, documents_search, read_rows
from sinks.dashboards.panels import Chart, Documents
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.dashboards.dashboard import Dashboard
    from sinks.dashboards.measures import Measure, Ratio
    from sinks.lakehouse.query.lake import Lake

pytestmark = pytest.mark.live

RULESET = Path(__file__).parents[2] / "pipelines" / "rulesets" / "baseline.toml"
SEED = 20_261_127
TRANSACTIONS = 6_000
SPAN_MS = 30 * 3_600_000
SECONDS = 8.0
NUMBERS = frozenset({"long", "integer", "double", "float"})
GROUPS = NUMBERS | {"keyword", "ip", "date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What this test did with one alert."""

    alert_id: str
    status: str
    assignee: str | None = None
    verdict: str | None = None
    judged_hits: int | None = None
    """How many payments the alert had when the verdict was given."""


def test_every_panel_shows_what_the_lakehouse_knows(
    settings: Settings, subtests: pytest.Subtests
) -> None:
    print(f"seed {SEED}")
    assert show(settings, "queue") == []  # and not an error
    with running_job(settings, ruleset="baseline"), running_sinks(settings):
        send_transactions(settings)
        await_everything(settings)
    with open_lake(settings) as lake, connect(settings.elasticsearch) as client:
        cases = work_on_some(settings, lake, client)
        client.indices.refresh(index=settings.elasticsearch.index)
        documents = read_documents(client, settings)
        moment = datetime.now(UTC).replace(microsecond=0)
        prepare(lake, cases, documents)

        assert_arrivals_fit_the_decisions(lake, documents)
        assert_every_field_can_do_what_it_is_used_for(client, settings)
        seen = []
        for dashboard in DASHBOARDS:
            for panel in dashboard.panels:
                if not isinstance(panel, Chart | Documents):
                    continue
                seen.append((dashboard.name, panel.id))
                with subtests.test(dashboard=dashboard.name, panel=panel.id):
                    if isinstance(panel, Chart):
                        assert_chart(client, settings, lake, dashboard, panel, moment)
                    else:
                        assert_list(client, settings, lake, dashboard, panel, moment)
        assert sorted(seen) == sorted([*COUNTS, *LISTS])
        assert_controls_offer_values(client, settings)
        assert_rules_call_when_they_should(client, settings, lake, documents)
        assert_terminal_shows_the_same(settings, len(documents))
        assert_what_waits_for_long_is_in_the_queue(client, settings)


def send_transactions(settings: Settings) -> None:
    """Thirty hours of traffic that end now, so that alerts are of every age."""
    options = GeneratorOptions(
        seed=SEED,
        start_ms=time.time_ns() // 1_000_000 - SPAN_MS,
        cards=500,
        rate=TRANSACTIONS / (SPAN_MS / 1000),
        fraud_rate=0.05,
        label_delay_ms=60_000,
        all_labels=False,
        # Not by count: the last ones could lie minutes ahead of the clock.
        count=None,
        duration_ms=SPAN_MS,
    )
    pace = Pace(speed=SPAN_MS / 1000 / SECONDS, clock=time.monotonic)
    produced = produce(
        generate(options), KafkaSender(settings.kafka), settings.kafka.topics(), pace=pace
    )
    assert produced.transactions > 0.9 * TRANSACTIONS
    assert sum(produced.failed.values()) == 0


def await_everything(settings: Settings) -> None:
    """Until every decision is in Iceberg and every alert in Elasticsearch, as a user would."""
    command = [sys.executable, "-m", "fraudlake.cli", "reconcile", "--json", "--wait", "120"]
    ended = subprocess.run(
        command,
        env={**os.environ, **settings.to_env()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def work_on_some(settings: Settings, lake: Lake, client: Elasticsearch) -> list[Case]:
    """Of every eight alerts: one is fraud, one genuine, two are taken, four wait.

    Of those with a verdict and more payments than one, each is as if the verdict had been given
    one payment earlier; of those with many, for half of them, as growth is seen in steps there
    (``growth.EXACT_TO``).
    """
    found = lake.connection.execute(
        "SELECT alert_id FROM decisions WHERE alert_id IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 96"
    ).fetchall()
    cases = []
    for number, (alert_id,) in enumerate(found):
        match number % 8:
            case 0 | 1 as which:
                verdict = ("fraud", "genuine")[which]
                given = give_verdict(
                    settings,
                    alert_id,
                    verdict=verdict,
                    reason=None,
                    by="ann",
                    payments_of=lambda alert: read_flagged(settings, alert),
                )
                hits = given.alert.hits
                judged = max(1, hits - 1 if hits <= EXACT_TO else hits // 2)
                client.update(
                    index=given.alert.version.index,
                    id=alert_id,
                    doc={"case": {"label": {"hits": judged}}},
                )
                cases.append(
                    Case(alert_id=alert_id, status="closed", verdict=verdict, judged_hits=judged)
                )
            case 2 | 3 as which:
                who = ("ann", "ben")[which - 2]
                assign(settings, alert_id, assignee=who, by=who)
                cases.append(Case(alert_id=alert_id, status="in_progress", assignee=who))
    return cases


def read_documents(client: Elasticsearch, settings: Settings) -> dict[str, dict[str, Any]]:
    """Every document by its id, one by one and not as aggregations."""
    found = client.search(index=settings.elasticsearch.index, size=10_000)
    documents = {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}
    assert len(documents) == found["hits"]["total"]["value"] > 100
    return documents


def prepare(lake: Lake, cases: list[Case], documents: dict[str, dict[str, Any]]) -> None:
    connection = lake.connection
    connection.execute(
        "CREATE TEMP TABLE cases (alert_id TEXT, status TEXT, assignee TEXT, verdict TEXT, "
        "judged_hits INTEGER)"
    )
    connection.executemany(
        "INSERT INTO cases VALUES (?, ?, ?, ?, ?)",
        [
            (case.alert_id, case.status, case.assignee, case.verdict, case.judged_hits)
            for case in cases
        ],
    )
    connection.execute(
        "CREATE TEMP TABLE arrivals (alert_id TEXT, ingested_at TIMESTAMPTZ, delay_ms BIGINT, "
        "partition INTEGER, kafka_offset BIGINT)"
    )
    connection.executemany(
        "INSERT INTO arrivals VALUES (?, ?, ?, ?, ?)",
        [
            (
                alert_id,
                document["event"]["ingested"],
                document["sink"]["delay_ms"],
                document["sink"]["partition"],
                document["sink"]["offset"],
            )
            for alert_id, document in documents.items()
        ],
    )
    connection.execute("CREATE TEMP TABLE active (rule TEXT)")
    rules = tomllib.loads(RULESET.read_text())["rule"]
    connection.executemany(
        "INSERT INTO active VALUES (?)", [(one["id"],) for one in rules if one["state"] == "active"]
    )
    connection.execute(Path(__file__).with_name("dashboard_alerts.sql").read_text())
    (alerts,) = connection.execute("SELECT count(*) FROM alerts").fetchone() or (0,)
    assert alerts == len(documents)


def assert_arrivals_fit_the_decisions(lake: Lake, documents: dict[str, dict[str, Any]]) -> None:
    """The delay of a document is the time from one of its alert's own decisions."""
    fitting = lake.connection.execute(
        "SELECT count(DISTINCT alert_id) FROM arrivals JOIN decisions USING (alert_id) "
        "WHERE abs(epoch_ms(ingested_at) - epoch_ms(decided_at) - delay_ms) <= 1"
    ).fetchone()
    assert fitting == (len(documents),)


def assert_every_field_can_do_what_it_is_used_for(
    client: Elasticsearch, settings: Settings
) -> None:
    uses = {use for dashboard in DASHBOARDS for use in dashboard.uses()}
    names = sorted({use.name for use in uses})
    found = client.field_caps(index=settings.elasticsearch.index, fields=names)["fields"]
    for use in sorted(uses):
        ((kind, caps),) = found[use.name].items()
        allowed = {
            "terms": kind in GROUPS and caps["aggregatable"],
            "number": kind in NUMBERS and caps["aggregatable"],
            "date": kind == "date" and caps["aggregatable"],
            "search": caps["searchable"],
            "show": True,
        }
        assert allowed[use.need], (use, kind, caps)


def assert_chart(
    client: Elasticsearch,
    settings: Settings,
    lake: Lake,
    dashboard: Dashboard,
    chart: Chart,
    moment: datetime,
) -> None:
    where = (dashboard.name, chart.id)
    body: Any = freeze(chart_search(chart, dashboard), moment)
    answer = client.search(index=settings.elasticsearch.index, body=body)
    shown = {row.keys: row.values for row in read_rows(chart, answer.body)}
    keys = len(chart.buckets)
    rows = ask(lake, COUNTS[where], moment)
    wanted = {row[:keys]: row[keys:] for row in rows}
    assert len(wanted) == len(rows), where
    assert shown.keys() == wanted.keys(), where
    for key, values in wanted.items():
        for measure, found, expected in zip(chart.measures, shown[key], values, strict=True):
            assert is_equal(measure, found, expected), (where, key, measure, found, expected)
    # Something to see: no panel without rows, no number that is nothing.
    assert any(value for values in shown.values() for value in values), where
    if keys == 0:
        assert all(shown[()]), (where, shown)


def is_equal(measure: Measure | Ratio, found: float | None, expected: Any) -> bool:
    if isinstance(expected, list):
        return is_percentile(found, getattr(measure, "percentile", None), sorted(expected))
    if found is None or expected is None:
        return found is None and expected is None
    return math.isclose(found, float(expected), rel_tol=1e-9, abs_tol=1e-6)


def is_percentile(found: float | None, percent: float | None, values: list[int]) -> bool:
    """Elasticsearch estimates percentiles: what it says must lie within one of a hundred of it."""
    assert found is not None
    assert percent is not None
    slack = 0.01 + 1 / len(values)
    below = sum(value < found for value in values) / len(values)
    up_to = sum(value <= found for value in values) / len(values)
    return (
        values[0] <= found <= values[-1]
        and below - slack <= percent / 100
        and percent / 100 <= up_to + slack
    )


def assert_list(
    client: Elasticsearch,
    settings: Settings,
    lake: Lake,
    dashboard: Dashboard,
    panel: Documents,
    moment: datetime,
) -> None:
    where = (dashboard.name, panel.id)
    body: Any = freeze(documents_search(panel, dashboard, size=10_000), moment)
    hits = client.search(index=settings.elasticsearch.index, body=body)["hits"]["hits"]
    wanted = ask(lake, LISTS[where], moment)
    assert wanted, where
    assert [tuple(hit["sort"]) for hit in hits] == [pytest.approx(row[:-1]) for row in wanted]
    assert Counter(hit["_id"] for hit in hits) == Counter(row[-1] for row in wanted), where
    for column in panel.columns:
        assert any(pick(hit["_source"], column) is not None for hit in hits), (where, column)


def assert_controls_offer_values(client: Elasticsearch, settings: Settings) -> None:
    for dashboard in DASHBOARDS:
        for control in dashboard.controls:
            values = {"values": {"terms": {"field": control.field}}}
            found = client.search(index=settings.elasticsearch.index, size=0, aggs=values)
            assert found["aggregations"]["values"]["buckets"], control


def assert_terminal_shows_the_same(settings: Settings, alerts: int) -> None:
    for dashboard in DASHBOARDS:
        shown = {panel["id"]: panel for panel in show(settings, dashboard.name)}
        expected = [panel.id for panel in dashboard.panels if isinstance(panel, Chart | Documents)]
        assert list(shown) == expected
        if dashboard.name == "operations":
            assert shown["lately"]["rows"][0]["in the whole time"] == alerts


def show(settings: Settings, name: str) -> list[dict[str, Any]]:
    """What ``fraudlake dashboards show`` prints."""
    command = [sys.executable, "-m", "fraudlake.cli", "dashboards", "show", name]
    environ = {**os.environ, **settings.to_env()}
    ended = subprocess.run(
        [*command, "--json"], env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    panels: list[dict[str, Any]] = json.loads(ended.stdout)
    return panels


def pick(document: Any, name: str) -> Any:
    for part in name.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document
