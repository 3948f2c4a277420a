"""Handing SQL to a running Flink cluster: the configuration of a job, and its submission."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_jobs.uids import with_stable_uids
from pipelines.flink import rest_address

ROCKSDB_COMPRESSION = ";".join(["NO_COMPRESSION"] * 7)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyflink.table import CompiledPlan

    from pipelines.settings import Settings


def submit(
    settings: Settings,
    *,
    setup: Sequence[str],
    inserts: Sequence[str],
    jars: Sequence[Path],
    savepoint: str | None,
    parameters: str,
    job_id: str | None = None,
) -> str:
    """Submit the inserts as one job and return its id; the job runs on by itself.

    ``parameters`` (``name:value``) stay readable on the job. Every operator gets a stable uid, so
    that a savepoint fits the next version of the job. With ``job_id`` (32 hexadecimal digits, never
    used before) the job is known by that id from before its submission.
    """
    configuration = _configure(settings, jars, savepoint, parameters)
    if job_id is not None:
        # Flink's own application mode chooses the id so; there is no public option.
        configuration.set_string("$internal.pipeline.job-id", job_id)
    environment = _environment(configuration)
    compiled = environment.load_plan(with_stable_uids(_compile(environment, setup, inserts)))
    # CompiledPlan.execute() of this release calls the method below with the wrong arguments.
    environment._before_execute()
    result = compiled._j_compiled_plan.execute()
    return str(result.getJobClient().get().getJobID().toString())


def check(
    settings: Settings, *, setup: Sequence[str], inserts: Sequence[str], jars: Sequence[Path]
) -> None:
    """Compile the inserts as ``submit`` would, without a cluster; an exception says the fault."""
    _compile(_environment(_configure(settings, jars, None, "")), setup, inserts)


def _environment(configuration: Configuration) -> TableEnvironment:
    return TableEnvironment.create(
        EnvironmentSettings.new_instance()
        .in_streaming_mode()
        .with_configuration(configuration)
        .build()
    )


def _compile(
    environment: TableEnvironment, setup: Sequence[str], inserts: Sequence[str]
) -> CompiledPlan:
    for step in setup:
        environment.execute_sql(step)
    statements = environment.create_statement_set()
    for insert in inserts:
        statements.add_insert_sql(insert)
    return statements.compile_plan()


def _configure(
    settings: Settings, jars: Sequence[Path], savepoint: str | None, parameters: str
) -> Configuration:
    """Where the job goes, how it checkpoints, and what it restarts from."""
    flink = settings.flink
    host, port = rest_address(flink.rest_url)
    values = {
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": host,
        "rest.port": str(port),
        "pipeline.name": flink.job_name,
        "pipeline.jars": ";".join(jar.resolve().as_uri() for jar in jars),
        "pipeline.object-reuse": "true",
        "pipeline.global-job-parameters": parameters,
        "parallelism.default": str(flink.parallelism),
        "state.backend.type": flink.state_backend,
        "execution.checkpointing.incremental": "true",
        # Hashes, times and amounts hardly shrink; compressing what each checkpoint flushes and then
        # merges took a third of the job's time (docs/benchmarks.md).
        "state.backend.rocksdb.compression.per.level": ROCKSDB_COMPRESSION,
        "execution.checkpointing.interval": f"{flink.checkpoint_interval_ms} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.dir": _checkpoint_folder(settings),
        "execution.checkpointing.savepoint-dir": _checkpoint_folder(settings),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        # Another rule set may have no customer stage. Safe, because every operator has a uid of its
        # own: state goes unclaimed only where its stage or source is gone, never by a changed plan.
        # The stage starts empty when it comes back, and its source reads all customers again.
        "execution.state-recovery.ignore-unclaimed-state": "true",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "15 s",
        "restart-strategy.exponential-delay.backoff-multiplier": "2.0",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "2 min",
        "table.local-time-zone": "UTC",
        # A quiet partition, or quiet customers, must not keep idle keys alive: no more is timed.
        "table.exec.source.idle-timeout": "10 s",
    }
    if savepoint is not None:
        values["execution.state-recovery.path"] = savepoint
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    return configuration


def _checkpoint_folder(settings: Settings) -> str:
    """The folder of checkpoints and savepoints, as a URI."""
    if settings.flink.checkpoint_dir:
        return settings.flink.checkpoint_dir
    return (settings.stack.home / "flink" / "checkpoints").resolve().as_uri()
