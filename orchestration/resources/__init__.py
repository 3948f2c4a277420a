"""The outside systems as Dagster resources: two or three verbs each, no client before it is used.

Each reads the settings when a verb is called, so that loading the code location needs no server and
no environment. They are plain classes: what they could be configured with is in the settings
already. The tests hand in small stand-ins with the same verbs.
"""

from orchestration.resources.alerts import AlertIndex, Dashboards
from orchestration.resources.broker import Broker
from orchestration.resources.lakehouse import Audit, Tables
from orchestration.resources.processes import Sinks, Traffic
from orchestration.resources.rule_desk import RuleDesk
from orchestration.resources.stream import FoundJob, Stream

__all__ = [
    "AlertIndex",
    "Audit",
    "Broker",
    "Dashboards",
    "FoundJob",
    "RuleDesk",
    "Sinks",
    "Stream",
    "Tables",
    "Traffic",
]
