"""Four rules that call somebody: a card nobody looks at, or no longer, a spike, and silence.

Each is an *Elasticsearch query* rule of Kibana (``.es-query``, the query in Elasticsearch's own
terms): every minute it counts the alerts of its window and compares. Whom it calls is chosen in
Kibana, where the connectors and their secrets are; ``publish`` keeps those actions.

Kibana encrypts rules with ids that it can only take as UUIDs, so each is named by the UUID of its
name (``SavedObjectsUtils.isRandomId`` in the Kibana repository). The parameters were read in
``src/platform/packages/shared/response-ops/rule_params/es_query`` there.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.settings.kibana_faults import CRITICAL_WINDOW_MINUTES
from sinks.alerts.growth import grown_query
from sinks.dashboards.data_views import BY_ARRIVAL

if TYPE_CHECKING:
    from pipelines.settings import KibanaSettings
    from sinks.dashboards.fields import Json

_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, "rules.fraudlake")
SPIKE_MINUTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingRule:
    """Calls when the number of alerts of its window is above, or below, a limit."""

    name: str
    """What commands and files call it."""
    title: str
    query: Json
    """Which alerts are counted."""
    window_m: int
    comparator: Literal[">", "<"]
    limit: int

    @property
    def id(self) -> str:
        """Its id in Kibana."""
        return str(uuid.uuid5(_NAMES, self.name))

    def to_json(self, index: str) -> Json:
        """The body of ``POST /api/alerting/rule/<id>``."""
        return {
            "name": self.title,
            "rule_type_id": ".es-query",
            "consumer": "stackAlerts",
            "enabled": True,
            "schedule": {"interval": "1m"},
            "tags": ["fraudlake"],
            "params": {
                "searchType": "esQuery",
                "index": [index],
                "timeField": BY_ARRIVAL.time_field,
                "esQuery": json.dumps({"query": self.query}),
                "size": 100,
                "aggType": "count",
                "groupBy": "all",
                "timeWindowSize": self.window_m,
                "timeWindowUnit": "m",
                "thresholdComparator": self.comparator,
                "threshold": [self.limit],
                # What is still there a minute later still matters.
                "excludeHitsFromPreviousRun": False,
            },
            "actions": [],
        }

    def count_query(self) -> Json:
        """The alerts it counts now, its window included, as Kibana asks for them."""
        window = {"gte": f"now-{self.window_m}m", "lte": "now"}
        return {"bool": {"filter": [{"range": {BY_ARRIVAL.time_field: window}}, self.query]}}

    def calls(self, count: int) -> bool:
        """Whether so many alerts are a reason to call somebody."""
        return count > self.limit if self.comparator == ">" else count < self.limit


def alerting_rules(settings: KibanaSettings) -> tuple[AlertingRule, ...]:
    """The four rules, with the limits of the settings."""
    waited = {"range": {BY_ARRIVAL.time_field: {"lte": f"now-{settings.critical_minutes}m"}}}
    is_blocked = {"term": {"fraud.band": "block"}}
    is_open = {"term": {"case.status": "open"}}
    return (
        AlertingRule(
            name="critical-open",
            title=f"Fraud: blocked and open for more than {settings.critical_minutes} minutes",
            query={"bool": {"filter": [is_blocked, is_open, waited]}},
            window_m=CRITICAL_WINDOW_MINUTES,
            comparator=">",
            limit=0,
        ),
        AlertingRule(
            name="grown",
            title="Fraud: blocked and closed, with payments since the verdict",
            query={"bool": {"filter": [is_blocked, grown_query()]}},
            window_m=CRITICAL_WINDOW_MINUTES,
            comparator=">",
            limit=0,
        ),
        AlertingRule(
            name="spike",
            title=f"Fraud: more than {settings.spike_alerts} alerts in {SPIKE_MINUTES} minutes",
            query={"match_all": {}},
            window_m=SPIKE_MINUTES,
            comparator=">",
            limit=settings.spike_alerts,
        ),
        AlertingRule(
            name="silence",
            title=f"Fraud: no alert for {settings.silence_minutes} minutes",
            query={"match_all": {}},
            window_m=settings.silence_minutes,
            comparator="<",
            limit=1,
        ),
    )
