"""Who runs the jobs of a fault run and kills servers of the local stack."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from fraudlake.job.keeper import restore_if_lost
from fraudlake.job.restore import restore_held
from fraudlake.job.start import submit_job
from fraudlake.job.stop import stop_job
from fraudlake.stack.flink import taskmanager_names
from fraudlake.stack.home import Home
from fraudlake.stack.supervisor import Supervisor
from pipelines.errors import SettingsError, StackError

if TYPE_CHECKING:
    from bench.faults.kills import Victim
    from pipelines.settings import Settings


class LocalOperator:
    """The operator of the stack in one home; supervisord brings back what is killed."""

    def __init__(self, settings: Settings) -> None:
        if settings.kafka.external or settings.flink.external:
            msg = "servers that run elsewhere are not killed: use a stack of `fraudlake up`"
            raise SettingsError(msg)
        self._supervisor = Supervisor(Home(path=settings.stack.home.resolve()))
        self._programs: dict[Victim, str] = {
            "taskmanager": taskmanager_names(settings)[0],
            "jobmanager": "jobmanager",
            "broker": "kafka",
        }

    def start(self, settings: Settings, *, ruleset: str) -> None:
        submit_job(settings, ruleset=ruleset, is_fresh=True)

    def stop(self, settings: Settings) -> str:
        return stop_job(settings)

    def restore(self, settings: Settings) -> bool:
        return restore_if_lost(settings, start=restore_held) is not None

    def pid(self, victim: Victim) -> int | None:
        state = self._supervisor.states().get(self._programs[victim])
        return None if state is None else state.pid

    def kill(self, victim: Victim) -> int:
        pid = self.pid(victim)
        if pid is None:
            name = self._programs[victim]
            msg = f"{name} does not run. Start the stack with `fraudlake up --servers`"
            raise StackError(msg)
        os.kill(pid, signal.SIGKILL)
        return pid
