"""*Rules*: how often each fires, how often it was right, and how much of it is noise."""

from __future__ import annotations

from sinks.dashboards.buckets import OverTime, Terms
from sinks.dashboards.dashboard import Control, Dashboard, Row
from sinks.dashboards.data_views import BY_EVENT
from sinks.dashboards.links import TITLES, links_row
from sinks.dashboards.measures import ALERTS, MONEY, Measure, Ratio
from sinks.dashboards.panels import Graph, Number, Table, Text

_FRAUD = "case.verdict: fraud"
_GENUINE = "case.verdict: genuine"
_JUDGED = "case.verdict: *"
_VERDICTS = Measure(label="Verdicts", where=_JUDGED)
_FALSE_ALARMS = Measure(label="False alarms", where=_GENUINE)
_PRECISION = Ratio(label="Precision", part=_FRAUD, whole=_JUDGED)

JUDGED = Number(id="judged", measures=(_VERDICTS, ALERTS))
PRECISION = Number(id="precision", measures=(_PRECISION,))
NOISE = Number(id="noise", measures=(_FALSE_ALARMS,))
HOW_TO_READ = Text(
    id="how-to-read",
    content="**Precision** is the share of fraud among the alerts that have a verdict; a rule "
    "without any shows none. An alert counts for every rule that fired on it, so a rule may owe "
    "its precision to another.",
)
EACH = Table(
    id="rules",
    title="Rules",
    rows=(Terms(label="Rule", field="rule.id", limit=100),),
    measures=(
        ALERTS,
        Measure(label="Blocked", where="fraud.band: block"),
        _VERDICTS,
        Measure(label="Fraud", where=_FRAUD),
        _FALSE_ALARMS,
        _PRECISION,
        Measure(
            label="Money in fraud",
            operation="sum",
            field="fraud.money_at_risk",
            where=_FRAUD,
            format=MONEY,
        ),
    ),
)
NOISY = Graph(
    id="false-alarms",
    title="Noise: false alarms by rule",
    kind="bar_horizontal",
    query=_GENUINE,
    x=Terms(label="Rule", field="rule.id", limit=15),
    measures=(Measure(label="False alarms"),),
)
FIRES = Graph(
    id="fires",
    title="Alerts by rule over time",
    kind="bar_stacked",
    x=OverTime(label="Time", field="@timestamp", interval="1h"),
    split=Terms(label="Rule", field="rule.id", limit=10),
    measures=(ALERTS,),
)

RULES = Dashboard(
    name="rules",
    title=TITLES["rules"],
    description="How often each rule fires, how often its alerts were fraud, and what is noise.",
    data_view=BY_EVENT,
    since="now-30d",
    controls=(
        Control(id="ruleset", title="Rule set", field="rule.ruleset"),
        Control(id="version", title="Version", field="rule.version"),
        Control(id="rule", title="Rule", field="rule.id"),
        Control(id="band", title="Band", field="fraud.band"),
    ),
    rows=(
        links_row("rules"),
        Row(height=6, panels=(JUDGED, PRECISION, NOISE, HOW_TO_READ), widths=(12, 12, 12, 12)),
        Row(height=18, panels=(EACH, NOISY), widths=(30, 18)),
        Row(height=14, panels=(FIRES,), widths=(48,)),
    ),
)
