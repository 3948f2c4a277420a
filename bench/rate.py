"""How many records a second a job gets through: the slope between two points of its run.

The committed source offsets are sampled. The first third of the records does not count, so that
start-up and the JVM's warm-up stay out, nor does the last tenth, where one partition may run alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from pipelines.errors import JobError
from pipelines.kafka import read_group_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.settings import Settings

POLL_SECONDS = 0.2
LONGEST_RUN_SECONDS = 900.0
FIRST_SHARE = 1 / 3
LAST_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one job reached."""

    job: str
    records_per_second: float
    cpu_us_per_record: float
    """Of all processes on the machine, the broker included."""
    checkpoint_ms: float | None = None
    """How long a checkpoint took, the median; None for what makes none of Flink's."""
    state_bytes: int | None = None
    """Of the last one: all that the job keeps."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a job was at a moment, and what the machine had worked by then."""

    seconds: float
    records: int
    cpu_seconds: float


def sample_offsets(
    settings: Settings,
    records: int,
    *,
    on_progress: Callable[[int], None],
    find_cause: Callable[[], str | None] = lambda: None,
) -> list[Sample]:
    """Samples of the job that the settings name, until it has committed ``records``.

    JobError if it does not within a quarter of an hour; ``find_cause`` may know why.
    """
    topic = settings.kafka.topics().transactions.name
    samples: list[Sample] = []
    deadline = time.monotonic() + LONGEST_RUN_SECONDS
    while time.monotonic() < deadline:
        done = sum(read_group_offsets(settings.kafka, settings.job_group, topic).values())
        if not samples or done != samples[-1].records:
            samples.append(Sample(time.monotonic(), done, _cpu_seconds()))
            on_progress(done)
        if done >= records:
            return samples
        time.sleep(POLL_SECONDS)
    msg = (
        f"job {settings.flink.job_name} did not read {records} records in "
        f"{LONGEST_RUN_SECONDS:.0f} s: {find_cause() or 'it is only slow'}"
    )
    raise JobError(msg)


def slope_of(samples: Sequence[Sample], *, job: str, records: int) -> Rate:
    """The rate between the two points; JobError where there were too few records to tell."""
    first = next(sample for sample in samples if sample.records >= records * FIRST_SHARE)
    last = next(sample for sample in samples if sample.records >= records * LAST_SHARE)
    done = last.records - first.records
    if done <= 0:
        msg = f"{job} was too quick to measure: send more than {records} records"
        raise JobError(msg)
    return Rate(
        job=job,
        records_per_second=done / (last.seconds - first.seconds),
        cpu_us_per_record=(last.cpu_seconds - first.cpu_seconds) * 1e6 / done,
    )


def _cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "softirq", 0.0))
