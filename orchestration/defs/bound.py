"""The outside systems, bound to the names under which the definitions ask for them."""

from __future__ import annotations

import dagster as dg

from orchestration.resources import (
    AlertIndex,
    Audit,
    Broker,
    Dashboards,
    RuleDesk,
    Sinks,
    Stream,
    Tables,
    Traffic,
)
from orchestration.watching.looking import Lookout


@dg.definitions
def resources() -> dg.Definitions:
    """Nothing connects here: a resource reads the settings when it is used."""
    return dg.Definitions(
        resources={
            "broker": Broker(),
            "stream": Stream(),
            "alert_index": AlertIndex(),
            "dashboards": Dashboards(),
            "sinks": Sinks(),
            "traffic": Traffic(),
            "rule_desk": RuleDesk(),
            "tables": Tables(),
            "audit": Audit(),
            "lookout": Lookout(),
        }
    )
