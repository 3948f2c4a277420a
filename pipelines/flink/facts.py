"""What a cluster tells of itself and of its jobs."""

from __future__ import annotations

from dataclasses import dataclass

ENDED_STATES = frozenset({"CANCELED", "FAILED", "FINISHED"})
RUNNING_STATES = frozenset(
    {"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "RECONCILING"}
)
WANTED_ENDS = frozenset({"CANCELLING", "CANCELED", "FINISHED"})
"""Nobody but a person, or a program that acts for one, ends a job so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as the cluster lists it."""

    job_id: str
    name: str
    state: str
    started_ms: int
    duration_ms: int

    @property
    def is_active(self) -> bool:
        """True while the cluster runs it or tries to."""
        return self.state in RUNNING_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """How checkpointing of a job goes."""

    completed: int
    failed: int
    restored: int
    latest_ms: int | None
    """When the newest completed one was finished, on Flink's clock."""
    latest_bytes: int | None
    latest_duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One time that tasks of a job failed, and Flink started them anew or gave the job up."""

    at_ms: int
    """On Flink's clock."""
    sentence: str
    """The first line of it."""
    cause: str
    """The first line of what is behind it, however deep; else its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the cluster has to offer."""

    version: str
    taskmanagers: int
    slots_total: int
    slots_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """One metric over the subtasks of a vertex."""

    sum: float
    max: float
