"""*Operations*: do alerts arrive, how many a minute, and how long after their decision."""

from __future__ import annotations

from sinks.dashboards.buckets import OverTime, Terms
from sinks.dashboards.dashboard import Dashboard, Row
from sinks.dashboards.data_views import BY_ARRIVAL
from sinks.dashboards.links import TITLES, links_row
from sinks.dashboards.measures import ALERTS, MILLISECONDS, PAYMENTS, Measure
from sinks.dashboards.panels import Graph, Number, Table, Text

_BY_MINUTE = OverTime(label="Arrived", field=BY_ARRIVAL.time_field, interval="1m")


def _delay(label: str, percentile: float) -> Measure:
    return Measure(
        label=label,
        operation="percentile",
        field="sink.delay_ms",
        percentile=percentile,
        format=MILLISECONDS,
    )


_HALF = _delay("Delay, median", 50)
_NEARLY_ALL = _delay("Delay, 99 of 100", 99)
_LONGEST = Measure(
    label="Longest delay", operation="max", field="sink.delay_ms", format=MILLISECONDS
)

LATELY = Number(
    id="lately",
    measures=(
        Measure(label="New alerts, last 10 minutes", within="10m"),
        Measure(label="in the whole time"),
    ),
)
HALF = Number(id="half", measures=(_HALF,))
NEARLY_ALL = Number(id="nearly-all", measures=(_NEARLY_ALL, _LONGEST))
HOW_TO_READ = Text(
    id="how-to-read",
    content="**Delay** is the time from a decision to the first write of its alert. None for 10 "
    "minutes: ask `fraudlake status`, then `fraudlake reconcile`.",
)
ARRIVALS = Graph(
    id="arrivals",
    title="New alerts per minute",
    kind="bar_stacked",
    x=_BY_MINUTE,
    split=Terms(label="Band", field="fraud.band", limit=3),
    measures=(ALERTS,),
)
DELAY = Graph(
    id="delay",
    title="Delay per minute",
    kind="line",
    x=_BY_MINUTE,
    measures=(_HALF, _NEARLY_ALL),
)
PARTITIONS = Table(
    id="partitions",
    title="By partition of the topic",
    rows=(Terms(label="Partition", field="sink.partition", limit=100),),
    measures=(
        ALERTS,
        Measure(label="Newest offset", operation="max", field="sink.offset"),
        _NEARLY_ALL,
        _LONGEST,
    ),
)
VERSIONS = Table(
    id="versions",
    title="By rule set and version",
    rows=(
        Terms(label="Rule set", field="rule.ruleset", limit=10),
        Terms(label="Version", field="rule.version", limit=10),
    ),
    measures=(ALERTS, PAYMENTS),
)

OPERATIONS = Dashboard(
    name="operations",
    title=TITLES["operations"],
    description="Whether alerts arrive, how many a minute, and how long after their decision.",
    data_view=BY_ARRIVAL,
    since="now-3h",
    controls=(),
    rows=(
        links_row("operations"),
        Row(height=6, panels=(LATELY, HALF, NEARLY_ALL, HOW_TO_READ), widths=(12, 12, 12, 12)),
        Row(height=12, panels=(ARRIVALS, DELAY), widths=(24, 24)),
        Row(height=12, panels=(PARTITIONS, VERSIONS), widths=(24, 24)),
    ),
)
