"""A cluster that does what a deployment asks of it, and writes down in which order it was."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fraudlake.job.launch import Deployment
from fraudlake.job.state_check import LAYOUTS
from fraudlake.job.switch_report import SwitchReport
from pipelines.flink import Checkpoints, Job
from pipelines.job_memory import Remembered, remember

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.settings import Settings

OLD, NEW, BACK = "a" * 32, "b" * 32, "c" * 32
STOPPED_AT = "file:/savepoint-1"
SWITCH = SwitchReport(records=9, lost=0, doubled=0, gap_s=2.5, decided_under_new=4)


@dataclass(kw_only=True)
class Cluster:
    """A cluster with one job at most; it writes down what is done to it, in order."""

    running: str | None = OLD
    fails: dict[str, BaseException] = field(default_factory=dict)
    checkpoints_made: int = 1
    newer_state: str | None = None
    stops_later: bool = False
    steps: list[str] = field(default_factory=list)
    origins: list[str | None] = field(default_factory=list)
    tables_ready: list[bool] = field(default_factory=list)
    replaced: list[str | None] = field(default_factory=list)
    """The rule set of what would come back, while a new job is started."""

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.fails:
            raise self.fails[name]

    def active_job(self, name: str) -> Job | None:
        return next(iter(self.jobs(name)), None)

    def jobs(self, name: str) -> list[Job]:
        if self.running is None:
            return []
        return [Job(job_id=self.running, name=name, state="RUNNING", started_ms=0, duration_ms=0)]

    def checkpoints(self, job_id: str) -> Checkpoints:
        if "look at checkpoints" in self.fails:
            raise self.fails["look at checkpoints"]
        return Checkpoints(
            completed=self.checkpoints_made,
            failed=0,
            restored=0,
            latest_ms=None,
            latest_bytes=None,
            latest_duration_ms=None,
        )

    def root_cause(self, job_id: str) -> str:
        return "no slots"

    def cancel(self, job_id: str) -> None:
        self.step("cancel")
        self.running = None

    def await_end(self, job_id: str, *, wait_seconds: float) -> None:
        if self.stops_later:
            self.running, self.newer_state = None, STOPPED_AT

    def stop(self, settings: Settings, rest: Cluster, job: Job, *, is_making_way: bool) -> str:
        assert is_making_way
        self.step("stop")
        self.running = None
        return STOPPED_AT

    def start(
        self,
        settings: Settings,
        *,
        ruleset: str,
        are_tables_ready: bool = False,
        replaces: Remembered | None = None,
        say: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Deployment:
        self.tables_ready.append(are_tables_ready)
        self.replaced.append(None if replaces is None else replaces.ruleset)
        remember(settings, Remembered(job_id=NEW, ruleset=f"{ruleset}@new", replaces=replaces))
        self.step("start")
        return self._run(NEW, f"{ruleset}@new", STOPPED_AT)

    def start_again(self, settings: Settings, known: Remembered, *, savepoint: str) -> Deployment:
        self.step("start again")
        return self._run(BACK, known.ruleset, savepoint)

    def _run(self, job_id: str, ruleset: str, origin: str | None) -> Deployment:
        self.running = job_id
        self.origins.append(origin)
        return Deployment(job_id=job_id, state="RUNNING", ruleset=ruleset, url="", savepoint=origin)


def make_kernel(folder: Path, layouts: str) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "kernel.jar", "w") as jar:
        jar.writestr(LAYOUTS, layouts)
    return folder / "kernel.jar"
