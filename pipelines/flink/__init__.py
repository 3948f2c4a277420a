"""Flink's REST API: the state of the cluster and of the job, and stopping with a savepoint.

The edge to Flink for everything outside its own environment; by the standard library, so that it
runs in both. Questions are cheap and time out quickly.
"""

from pipelines.flink.facts import (
    ENDED_STATES,
    WANTED_ENDS,
    Aggregate,
    Checkpoints,
    Cluster,
    Failure,
    Job,
)
from pipelines.flink.rest import FlinkRest, rest_address

__all__ = [
    "ENDED_STATES",
    "WANTED_ENDS",
    "Aggregate",
    "Checkpoints",
    "Cluster",
    "Failure",
    "FlinkRest",
    "Job",
    "rest_address",
]
