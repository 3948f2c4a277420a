"""One job under watch: how far it is, how often it was restored, and started again when lost."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Protocol

from pipelines.errors import FraudlakeError, JobError, TransientError
from pipelines.flink import FlinkRest
from pipelines.kafka import read_group_offsets

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from bench.faults.kills import Victim
    from pipelines.flink import Job
    from pipelines.settings import Settings

POLL_SECONDS = 0.2
RESTORE_SECONDS = 1.0
LONGEST_STANDSTILL_SECONDS = 240.0
"""A job that has come no further for so long does not come back by itself."""


class Operator(Protocol):
    """Who deploys jobs and kills servers; the settings name the job and its topics."""

    def start(self, settings: Settings, *, ruleset: str) -> None:
        """Submit a job without any state and wait until it runs."""

    def stop(self, settings: Settings) -> str:
        """Stop it with a savepoint, whose place is returned."""

    def restore(self, settings: Settings) -> bool:
        """Submit it again from its newest state if the cluster has lost it; whether it was."""

    def pid(self, victim: Victim) -> int | None:
        """The server's process, None while there is none."""

    def kill(self, victim: Victim) -> int:
        """SIGKILL; the id the process had."""


class WatchedJob:
    """Looks after one running job within ``with``: whoever leaves it finds nothing running."""

    def __init__(
        self, settings: Settings, operator: Operator, on_progress: Callable[[int], None]
    ) -> None:
        self.settings = settings
        self.operator = operator
        self._on_progress = on_progress
        self._rest = FlinkRest(settings.flink.rest_url)
        self._restored: dict[str, int] = {}
        self._progress = 0
        self._moved_at = time.monotonic()
        self._failure: FraudlakeError | None = None
        self._is_over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> WatchedJob:
        self._keeper.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        if error is not None:
            with contextlib.suppress(FraudlakeError):
                active = self._rest.active_job(self.settings.flink.job_name)
                if active is not None:
                    self._rest.cancel(active.job_id)

    def release(self) -> None:
        """Let nobody start the job again from here on."""
        self._is_over.set()
        if self._keeper.is_alive():
            self._keeper.join()

    @property
    def restores(self) -> int:
        """How often the job went on from a checkpoint, by Flink itself or submitted again."""
        return sum(self._restored.values())

    def job_id(self) -> str | None:
        """The job that runs; None while the cluster has none or does not answer."""
        active = self._active()
        return None if active is None else active.job_id

    def progress(self) -> int:
        """Records up to the newest checkpoint; the last known number while the broker is away."""
        with contextlib.suppress(TransientError):
            settings = self.settings
            topic = settings.kafka.topics().transactions.name
            done = sum(read_group_offsets(settings.kafka, settings.job_group, topic).values())
            if done != self._progress:
                self._progress, self._moved_at = done, time.monotonic()
                self._on_progress(done)
        self._note_restores()
        return self._progress

    def await_true(self, what: str, is_reached: Callable[[], bool]) -> None:
        """Poll until it is so; JobError when the job stands still for minutes instead."""
        while not is_reached():
            if time.monotonic() - self._moved_at > LONGEST_STANDSTILL_SECONDS:
                msg = (
                    f"job {self.settings.flink.job_name} stands still at {self._progress} records, "
                    f"waiting for {what}: {self._cause()}"
                )
                raise JobError(msg)
            time.sleep(POLL_SECONDS)

    def _cause(self) -> str:
        if self._failure is not None:
            return str(self._failure)
        with contextlib.suppress(FraudlakeError):
            job_id = self.job_id()
            if job_id is not None:
                return self._rest.root_cause(job_id) or "Flink knows of no failure"
        return "no job of that name runs"

    def _note_restores(self) -> None:
        active = self._active()
        # Asked of a job that is only being set up, Flink writes a stack trace into its log.
        if active is not None and active.state == "RUNNING":
            with contextlib.suppress(FraudlakeError):  # it has just gone
                self._restored[active.job_id] = self._rest.checkpoints(active.job_id).restored

    def _active(self) -> Job | None:
        with contextlib.suppress(TransientError):
            return self._rest.active_job(self.settings.flink.job_name)
        return None

    def _keep(self) -> None:
        while not self._is_over.wait(RESTORE_SECONDS):
            try:
                self.operator.restore(self.settings)
                self._failure = None
            except TransientError:
                continue
            except FraudlakeError as error:
                self._failure = error
