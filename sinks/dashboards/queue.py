"""*Queue*: what waits, for how long, how much is at stake, and who has what."""

from __future__ import annotations

from sinks.alerts.growth import write_grown
from sinks.dashboards.buckets import Choice, Choices, Terms
from sinks.dashboards.dashboard import Control, Dashboard, Row
from sinks.dashboards.data_views import BY_EVENT
from sinks.dashboards.links import TITLES, links_row
from sinks.dashboards.measures import ALERTS, AT_STAKE, MONEY, WORST_SCORE, Measure
from sinks.dashboards.panels import Documents, Graph, Number, Order, Table

_OPEN = "case.status: open"
_UNSETTLED = "case.status: (open or in_progress)"
_TAKEN = "case.status: in_progress"
_GROWN = write_grown()

OPEN = Number(id="open", measures=(Measure(label="Open", where=_OPEN),))
BLOCKED = Number(
    id="open-block",
    measures=(Measure(label="Open and blocked", where=f"{_OPEN} and fraud.band: block"),),
)
TAKEN = Number(
    id="in-progress",
    measures=(
        Measure(label="In progress", where=_TAKEN),
        Measure(label="closed, of 30 days", where="case.status: closed", within="30d"),
    ),
)
GROWN = Number(
    id="grown",
    measures=(
        Measure(label="Closed, with payments since", where=_GROWN),
        Measure(label="of them judged genuine", where=f"case.verdict: genuine and {_GROWN}"),
    ),
)
STAKE = Number(
    id="at-stake",
    measures=(
        Measure(
            label="At stake, not closed",
            operation="sum",
            field="fraud.money_at_risk",
            where=_UNSETTLED,
            format=MONEY,
        ),
    ),
)
AGE = Graph(
    id="age",
    title="Open alerts by age",
    kind="bar_stacked",
    query=_OPEN,
    x=Choices(
        label="Age",
        choices=(
            Choice(label="under 15 minutes", where='@timestamp >= "now-15m"'),
            Choice(label="to 1 hour", where='@timestamp < "now-15m" and @timestamp >= "now-1h"'),
            Choice(label="to 4 hours", where='@timestamp < "now-1h" and @timestamp >= "now-4h"'),
            Choice(label="to 1 day", where='@timestamp < "now-4h" and @timestamp >= "now-24h"'),
            Choice(label="to 30 days", where='@timestamp < "now-24h" and @timestamp >= "now-30d"'),
            Choice(label="over 30 days", where='@timestamp < "now-30d"'),
        ),
    ),
    split=Terms(label="Band", field="fraud.band", limit=3),
    measures=(ALERTS,),
)
FIRED = Graph(
    id="rules",
    title="Open alerts by rule",
    kind="bar_horizontal",
    query=_OPEN,
    x=Terms(label="Rule", field="rule.id", limit=10),
    measures=(ALERTS,),
)
ASSIGNEES = Table(
    id="assignees",
    title="In progress, by assignee",
    query=_TAKEN,
    rows=(Terms(label="Assignee", field="case.assignee", limit=20),),
    measures=(ALERTS, AT_STAKE, WORST_SCORE),
)
WAITING = Documents(
    id="alerts",
    title="Alerts to work on, worst first",
    query=_UNSETTLED,
    columns=(
        "fraud.band",
        "fraud.score",
        "fraud.money_at_risk",
        "fraud.hits",
        "fraud.card_id",
        "fraud.because",
        "case.status",
        "case.assignee",
        "event.id",
    ),
    order=(
        Order(field="fraud.score", direction="desc"),
        Order(field="@timestamp", direction="asc"),
    ),
)
SINCE = Documents(
    id="grown-alerts",
    title="Closed, with payments since the verdict, the latest first",
    query=_GROWN,
    columns=(
        "event.end",
        "case.closed_at",
        "case.verdict",
        "case.assignee",
        "case.label.hits",
        "fraud.hits",
        "fraud.band",
        "fraud.money_at_risk",
        "fraud.card_id",
        "event.id",
    ),
    order=(Order(field="event.end", direction="desc"),),
)

QUEUE = Dashboard(
    name="queue",
    title=TITLES["queue"],
    description="Alerts that wait for somebody, by band and age; who has which; all of them, "
    "worst first; and those that grew after their verdict.",
    data_view=BY_EVENT,
    # Whatever waits, however long: no month with an open case is ever deleted.
    since="now-10y",
    controls=(
        Control(id="status", title="Status", field="case.status"),
        Control(id="band", title="Band", field="fraud.band"),
        Control(id="rule", title="Rule", field="rule.id"),
        Control(id="assignee", title="Assignee", field="case.assignee"),
    ),
    rows=(
        links_row("queue"),
        Row(height=6, panels=(OPEN, BLOCKED, TAKEN, STAKE, GROWN), widths=(9, 9, 10, 10, 10)),
        Row(height=12, panels=(AGE, FIRED, ASSIGNEES), widths=(18, 15, 15)),
        Row(height=18, panels=(WAITING,), widths=(48,)),
        Row(height=12, panels=(SINCE,), widths=(48,)),
    ),
)
