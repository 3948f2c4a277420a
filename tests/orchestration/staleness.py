"""What Dagster itself says of the job: the words behind *Unsynced* on its page."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from orchestration.defs.stream import fraud_detection
from orchestration.keys import JOB


def why_behind(instance: dg.DagsterInstance) -> list[str]:
    """What has moved on since the job was materialized."""
    graph = dg.Definitions(
        assets=[fraud_detection], resources={"stream": object()}
    ).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return [cause.reason for cause in resolver.get_stale_causes(JOB)]
