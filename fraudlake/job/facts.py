"""What there is to say of the job now: its state, its checkpoints, and what it has counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipelines.job_figures import JobFigures
from pipelines.job_memory import remembered
from pipelines.kafka import read_group_offsets, read_offsets

if TYPE_CHECKING:
    from pipelines.flink import Checkpoints, FlinkRest, Job
    from pipelines.job_figures import FigureReader
    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """One look at the newest job of a name."""

    job: Job
    ruleset: str | None
    checkpoints: Checkpoints
    checkpoint_age_s: float | None
    """By Flink's own clock; None before the first."""
    lag_records: int | None
    """Records whose decisions are not committed; None where Kafka was not asked."""
    figures: JobFigures
    restarts: int | None
    """Each has aborted the open transactions; what they held is decided again."""
    last_failure: str | None
    given_up: str | None
    """Why no program starts it again; None: it runs, or one would."""
    url: str

    @property
    def is_running(self) -> bool:
        return self.job.state == "RUNNING"

    def as_json(self) -> dict[str, object]:
        """For a machine to read."""
        return {
            "job_id": self.job.job_id,
            "name": self.job.name,
            "state": self.job.state,
            "ruleset": self.ruleset,
            "uptime_s": self.job.duration_ms // 1000,
            "lag_records": self.lag_records,
            "checkpoints_completed": self.checkpoints.completed,
            "checkpoints_failed": self.checkpoints.failed,
            "restores": self.checkpoints.restored,
            "state_bytes": self.checkpoints.latest_bytes,
            "checkpoint_duration_ms": self.checkpoints.latest_duration_ms,
            "checkpoint_age_s": self.checkpoint_age_s,
            "decisions": self.figures.decisions,
            **asdict(self.figures),
            "restarts": self.restarts,
            "last_failure": self.last_failure,
            "given_up": self.given_up,
            "url": self.url,
        }


def read_facts(
    settings: Settings, rest: FlinkRest, reader: FigureReader, *, with_lag: bool
) -> JobFacts | None:
    """Look once; None if no such job was ever submitted.

    TransientError while the cluster is away. ``with_lag`` asks Kafka too, which takes longer.
    """
    jobs = rest.jobs(settings.flink.job_name)
    if not jobs:
        return None
    job = jobs[0]
    checkpoints = rest.checkpoints(job.job_id)
    now_ms = job.started_ms + job.duration_ms
    latest_ms = checkpoints.latest_ms
    age = None if latest_ms is None else max(0, now_ms - latest_ms) / 1000
    return JobFacts(
        job=job,
        ruleset=rest.parameters(job.job_id).get("ruleset"),
        checkpoints=checkpoints,
        checkpoint_age_s=age,
        lag_records=_lag(settings) if with_lag else None,
        # Of a job that has ended the cluster knows what some of its tasks last said.
        figures=reader.read(job.job_id) if job.is_active else JobFigures(),
        restarts=rest.read_restarts(job.job_id) if job.is_active else None,
        last_failure=rest.root_cause(job.job_id),
        given_up=None if job.is_active else read_given_up(settings),
        url=settings.flink.page_of(job.job_id),
    )


def read_given_up(settings: Settings) -> str | None:
    """Why no program starts the last deployment again; None: one may."""
    known = remembered(settings)
    return None if known is None else known.given_up or None


def _lag(settings: Settings) -> int:
    topic = settings.kafka.topics().transactions.name
    ends = read_offsets(settings.kafka, topic)
    read = read_group_offsets(settings.kafka, settings.job_group, topic)
    return sum(held.end - read.get(partition, held.start) for partition, held in ends.items())
