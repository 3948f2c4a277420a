"""A dashboard's numbers in the terminal: each panel's own search, as Kibana would send it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table

from sinks.alerts.client import connect, translate_errors
from sinks.alerts.search import refresh_index
from sinks.dashboards.buckets import OverTime
from sinks.dashboards.measures import Ratio
from sinks.dashboards.panel_search import (
    ChartRow,
    chart_search,
    documents_search,
    read_rows,
)
from sinks.dashboards.panels import Chart, Documents, Number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.settings import Settings
    from sinks.dashboards.dashboard import Dashboard
    from sinks.dashboards.measures import Measure

DOCUMENTS = 10
"""How many alerts of a list are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPanel:
    """What a panel shows: headings, and a cell for each in every row."""

    id: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    total: int | None = None
    """Of a list: how many alerts there are, of which some are shown."""

    def to_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "id": self.id,
            "title": self.title,
            "rows": [dict(zip(self.headings, row, strict=True)) for row in self.rows],
            **({} if self.total is None else {"total": self.total}),
        }


def read_panels(settings: Settings, dashboard: Dashboard) -> list[ShownPanel]:
    """What every panel with numbers shows now; nothing before the first alert.

    As in Kibana, without the months that somebody has closed.
    """
    index = settings.elasticsearch.index
    shown = []
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        if not client.indices.exists(index=index):
            return []
        refresh_index(client, index)
        for panel in dashboard.panels:
            if isinstance(panel, Chart):
                body: Any = chart_search(panel, dashboard)
                answer = client.search(index=index, body=body, ignore_unavailable=True)
                shown.append(_show_chart(panel, read_rows(panel, answer.body)))
            elif isinstance(panel, Documents):
                body = documents_search(panel, dashboard, size=DOCUMENTS)
                answer = client.search(index=index, body=body, ignore_unavailable=True)
                shown.append(_show_documents(panel, answer.body))
    return shown


def render_panel(panel: ShownPanel) -> Table:
    """As a table for people."""
    more = "" if panel.total is None else f" ({len(panel.rows)} of {panel.total:,})"
    table = Table(title=panel.title + more, title_justify="left", title_style="bold")
    for heading in panel.headings:
        # The sentences of an alert would make its row a page: `fraudlake alerts show` has them.
        table.add_column(heading, no_wrap=panel.total is not None)
    for row in panel.rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _show_chart(chart: Chart, rows: list[ChartRow]) -> ShownPanel:
    headings = [bucket.label for bucket in chart.buckets]
    headings += [measure.label for measure in chart.measures]
    return ShownPanel(
        id=chart.id,
        title="" if isinstance(chart, Number) else chart.title,
        headings=tuple(headings),
        rows=tuple(_show_row(chart, row) for row in rows),
    )


def _show_row(chart: Chart, row: ChartRow) -> tuple[object, ...]:
    keys = [
        _say_time(float(key)) if isinstance(bucket, OverTime) else key
        for bucket, key in zip(chart.buckets, row.keys, strict=True)
    ]
    values = [
        _round(measure, value) for measure, value in zip(chart.measures, row.values, strict=True)
    ]
    return (*keys, *values)


def _round(measure: Measure | Ratio, value: float | None) -> object:
    if value is None:
        return None
    if isinstance(measure, Ratio):
        return round(value, 4)
    return round(value, measure.format.decimals) if measure.format.decimals else round(value)


def _show_documents(panel: Documents, answer: Mapping[str, Any]) -> ShownPanel:
    hits = answer["hits"]
    rows = [tuple(_pick(hit["_source"], name) for name in panel.columns) for hit in hits["hits"]]
    return ShownPanel(
        id=panel.id,
        title=panel.title,
        headings=panel.columns,
        rows=tuple(rows),
        total=hits["total"]["value"],
    )


def _pick(document: Any, name: str) -> object:
    for part in name.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    found: object = document
    return found


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "; ".join(_cell(item) for item in value)
    if isinstance(value, dict):
        return f"{value['lat']:.4f}, {value['lon']:.4f}"  # the only objects among our columns
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _say_time(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")
