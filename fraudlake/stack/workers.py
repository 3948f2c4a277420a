"""The Python parts: the two sinks, the job's keeper, and Dagster when it is asked for."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orchestration
from fraudlake.stack.ports import LOOPBACK
from fraudlake.stack.program import Program
from fraudlake.stack.project import DAGSTER_INSTANCE

if TYPE_CHECKING:
    from fraudlake.stack.home import Home

LAKEHOUSE_SINK = "lakehouse-sink"
ALERTS_SINK = "alerts-sink"
JOB_KEEPER = "job-keeper"
DAGSTER = "dagster"

# -P: the folder one happens to stand in must not shadow the packages.
_PYTHON = (sys.executable, "-P", "-m")
# The package alone: what it holds for Dagster is imported by Dagster's own processes.
_CONTROL = Path(orchestration.__file__).parent


def sink_programs(home: Home, directory: Path) -> list[Program]:
    """Both sinks, run where ``fraudlake up`` was called: that is where ``fraudlake.toml`` lies."""
    sinks = ((LAKEHOUSE_SINK, "lakehouse"), (ALERTS_SINK, "alerts"))
    return [
        Program(
            name=name,
            command=(*_PYTHON, "fraudlake.cli", "sink", kind),
            priority=50,
            environment={"FRAUDLAKE_STACK_HOME": str(home.path), "PYTHONUNBUFFERED": "1"},
            directory=directory,
            stop_seconds=30,  # one last commit
        )
        for name, kind in sinks
    ]


def keeper_program(home: Home, directory: Path) -> Program:
    """The job's keeper. It ends at once: what it was submitting is found by the next start."""
    return Program(
        name=JOB_KEEPER,
        command=(*_PYTHON, "fraudlake.cli", "job", "keep"),
        priority=50,
        environment={"FRAUDLAKE_STACK_HOME": str(home.path), "PYTHONUNBUFFERED": "1"},
        directory=directory,
    )


def dagster_program(home: Home, directory: Path, *, port: int) -> Program:
    """Dagster's web server and daemon, with their state in ``<home>/dagster``."""
    folder = home.path / "dagster"
    workspace = str(_CONTROL / "workspace.yaml")

    def prepare() -> None:
        folder.mkdir(exist_ok=True)
        shutil.copyfile(DAGSTER_INSTANCE, folder / "dagster.yaml")

    return Program(
        name=DAGSTER,
        command=(*_PYTHON, "dagster", "dev", "-w", workspace, "-h", LOOPBACK, "-p", str(port)),
        priority=60,
        environment={
            "FRAUDLAKE_STACK_HOME": str(home.path),
            "DAGSTER_HOME": str(folder),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "PYTHONUNBUFFERED": "1",
        },
        directory=directory,
        steady_seconds=4,
        prepare=prepare,
    )
