"""*One card*: its alerts in the order of time, where it was used, and the journeys that fired."""

from __future__ import annotations

from sinks.dashboards.buckets import OverTime, Terms
from sinks.dashboards.dashboard import Control, Dashboard, Row
from sinks.dashboards.data_views import BY_EVENT
from sinks.dashboards.links import TITLES, links_row
from sinks.dashboards.measures import ALERTS, AT_STAKE, PAYMENTS, WORST_SCORE, Measure
from sinks.dashboards.panels import Documents, Graph, Number, Order, Table

_OLDEST_FIRST = (Order(field="@timestamp", direction="asc"),)

COUNT = Number(
    id="alerts",
    measures=(ALERTS, Measure(label="turned out to be fraud", where="case.verdict: fraud")),
)
FLAGGED = Number(id="payments", measures=(PAYMENTS,))
MONEY = Number(id="money", measures=(AT_STAKE,))
WORST = Number(id="worst", measures=(WORST_SCORE,))
OVER_TIME = Graph(
    id="over-time",
    title="Money at risk by the hour in which an alert was opened",
    kind="bar_stacked",
    x=OverTime(label="Time", field="@timestamp", interval="1h"),
    split=Terms(label="Band", field="fraud.band", limit=3),
    measures=(AT_STAKE,),
)
TIMELINE = Documents(
    id="timeline",
    title="Timeline",
    columns=(
        "event.end",
        "fraud.band",
        "fraud.score",
        "fraud.hits",
        "fraud.money_at_risk",
        "fraud.latest.merchant_id",
        "fraud.latest.country",
        "fraud.latest.channel",
        "fraud.because",
        "case.verdict",
    ),
    order=_OLDEST_FIRST,
)
PLACES = Table(
    id="places",
    title="Where the latest payment of each alert was made",
    rows=(
        Terms(label="Country", field="fraud.latest.country", limit=20),
        Terms(label="Channel", field="fraud.latest.channel", limit=3),
    ),
    measures=(
        ALERTS,
        PAYMENTS,
        AT_STAKE,
        Measure(label="Merchants", operation="unique_count", field="fraud.latest.merchant_id"),
    ),
)
JOURNEYS = Documents(
    id="journeys",
    title="Journeys that made a rule fire",
    query="fraud.travel.km: *",
    columns=(
        "fraud.travel.km",
        "fraud.travel.gap_min",
        "fraud.travel.kmh",
        "fraud.travel.from",
        "fraud.travel.to",
        "fraud.card_id",
    ),
    order=_OLDEST_FIRST,
)

CARD = Dashboard(
    name="card",
    title=TITLES["card"],
    description="Choose a card above: its alerts in the order of time, and where it was used.",
    data_view=BY_EVENT,
    since="now-90d",
    controls=(
        Control(id="card", title="Card", field="fraud.card_id", is_single=True),
        Control(id="customer", title="Customer", field="user.id", is_single=True),
    ),
    rows=(
        links_row("card"),
        Row(height=6, panels=(COUNT, FLAGGED, MONEY, WORST), widths=(12, 12, 12, 12)),
        Row(height=10, panels=(OVER_TIME,), widths=(48,)),
        Row(height=14, panels=(TIMELINE,), widths=(48,)),
        Row(height=12, panels=(PLACES, JOURNEYS), widths=(20, 28)),
    ),
)
