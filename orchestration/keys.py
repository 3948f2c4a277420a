"""The keys of the assets that more than one module speaks of."""

from __future__ import annotations

import dagster as dg

JOB = dg.AssetKey(["flink", "fraud_detection"])
RULES = dg.AssetKey(["rules", "active"])
INDEX = dg.AssetKey(["elasticsearch", "fraud_alerts"])
DASHBOARDS = dg.AssetKey(["kibana", "fraud_dashboards"])
LAKEHOUSE_SINK = dg.AssetKey(["sinks", "lakehouse"])
ALERTS_SINK = dg.AssetKey(["sinks", "alerts"])
RULESETS_TABLE = dg.AssetKey(["iceberg", "rulesets"])
RETENTION = dg.AssetKey(["elasticsearch", "retention"])
RECONCILIATION = dg.AssetKey(["reconciliation", "hours"])
QUALITY = dg.AssetKey(["iceberg", "quality"])
COMPACTION = dg.AssetKey(["iceberg", "compaction"])
EXPIRY = dg.AssetKey(["iceberg", "expiry"])
SWEEP = dg.AssetKey(["iceberg", "sweep"])


def topic_key(name: str) -> dg.AssetKey:
    """The asset of the topic that stands under ``name`` in ``Topics``."""
    return dg.AssetKey(["kafka", name])


def table_key(name: str) -> dg.AssetKey:
    """The asset of a table of the lakehouse."""
    return dg.AssetKey(["iceberg", name])
