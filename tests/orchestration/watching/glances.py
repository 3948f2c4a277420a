"""Looks for tests: everything well, with what a test wants otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from orchestration.watching.glance import (
    BrokerGlance,
    Glance,
    JobNotes,
    Late,
    StreamGlance,
    Trouble,
)
from pipelines.flink import Checkpoints, Job
from sinks.alerts.glance import IndexGlance
from sinks.lakehouse.heads import TableHead

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STARTED_MS = 1_000_000
AWAY = Trouble(sentence="no Flink cluster answers at http://flink")


def job(state: str = "RUNNING", *, job_id: str = "a1", duration_ms: int = 600_000) -> Job:
    return Job(
        job_id=job_id,
        name="fraud-detection",
        state=state,
        started_ms=STARTED_MS,
        duration_ms=duration_ms,
    )


def stream(found: Job | None = None, *, age_s: float | None = 1.0, **other: Any) -> StreamGlance:
    chosen = job() if found is None else found
    now_ms = chosen.started_ms + chosen.duration_ms
    checkpoints = Checkpoints(
        completed=0 if age_s is None else 30,
        failed=0,
        restored=0,
        latest_ms=None if age_s is None else now_ms - round(age_s * 1000),
        latest_bytes=None if age_s is None else 2_500_000,
        latest_duration_ms=None if age_s is None else 40,
    )
    glance = StreamGlance(
        job=chosen, checkpoints=checkpoints, restarts=0, ruleset="r@1", url="http://flink/#/job/a1"
    )
    return replace(glance, **other)


NO_JOB = StreamGlance(job=None, checkpoints=None, restarts=None, ruleset=None, url="http://flink")


def notes(**other: Any) -> JobNotes:
    plain = JobNotes(deployed_id="a1", is_stopped=False, is_being_changed=False, published="r@1")
    return replace(plain, **other)


def broker(**other: Any) -> BrokerGlance:
    plain = BrokerGlance(
        ends={"transactions": {0: 600, 1: 400}, "dead_letters": {0: 3}},
        job_lag=12,
        alerts_lag=0,
        alerts_late=Late(late=0, too_late=0),
        decisions_before=({0: 900}, {0: 800}),
        hidden=Late(late=0, too_late=0),
        letters_last_hour=0,
        transactions_last_hour=1000,
    )
    return replace(plain, **other)


def head(*, snapshot_id: int | None = 7, rows: int = 988) -> TableHead:
    return TableHead(
        table="decisions",
        snapshot_id=snapshot_id,
        committed_at=NOW,
        rows=rows,
        files=4,
        bytes=4096,
        location="file:///lake/decisions",
        next_offsets={0: 990},
    )


def glance(**other: Any) -> Glance:
    plain = Glance(
        at=NOW,
        notes=notes(),
        stream=stream(),
        broker=broker(),
        index=IndexGlance(alerts=9, has_template=True),
        lake=[head()],
    )
    return replace(plain, **other)
