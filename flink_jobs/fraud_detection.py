"""The fraud detection job: ``python -m flink_jobs.fraud_detection``.

Reads the settings and a rule set, plans the statement, gives every operator a stable uid, submits
it to a running Flink cluster, and prints one JSON line with the job's id. The job runs on by
itself; whoever started it talks to it through Flink's REST API.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_jobs.statement import Statement, write_statement
from flink_jobs.uids import with_stable_uids
from pipelines.errors import FraudlakeError
from pipelines.features import load_features
from pipelines.fx import load_fx
from pipelines.rules import load_ruleset
from pipelines.settings import Settings

CONFIGURATION_FAULT = 2


def main() -> int:
    """Submit the job; 0 when the cluster accepted it."""
    arguments = _parse(sys.argv[1:])
    try:
        settings = Settings.from_env()
        statement = plan(settings, arguments.ruleset or settings.flink.ruleset)
    except FraudlakeError as error:
        sys.stderr.write(f"error: {error}\n")
        return CONFIGURATION_FAULT
    job_id = submit(
        settings, statement, jars=arguments.jar, savepoint=arguments.savepoint
    )
    sys.stdout.write(json.dumps({"job_id": job_id, "ruleset": statement.ruleset}) + "\n")
    return 0


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flink_jobs.fraud_detection", description=__doc__)
    parser.add_argument("--ruleset", help="a shipped rule set or a file; else the setting's")
    parser.add_argument("--jar", type=Path, action="append", default=[], help="needed by the job")
    parser.add_argument("--savepoint", help="go on from this savepoint or checkpoint")
    return parser.parse_args(words)


def plan(settings: Settings, ruleset: str) -> Statement:
    """The statement for a rule set; raises RulesetError or FeaturesError before anything runs."""
    features = load_features()
    return write_statement(
        settings, ruleset=load_ruleset(ruleset, features), features=features, fx=load_fx()
    )


def submit(
    settings: Settings, statement: Statement, *, jars: list[Path], savepoint: str | None
) -> str:
    """Hand the job to the cluster and return its id; the cluster restores it from ``savepoint``."""
    environment = TableEnvironment.create(
        EnvironmentSettings.in_streaming_mode()
        if not jars
        else EnvironmentSettings.new_instance()
        .in_streaming_mode()
        .with_configuration(configure(settings, statement, jars=jars, savepoint=savepoint))
        .build()
    )
    for step in statement.setup:
        environment.execute_sql(step)
    statements = environment.create_statement_set()
    for insert in statement.inserts:
        statements.add_insert_sql(insert)
    compiled = environment.load_plan(with_stable_uids(statements.compile_plan()))
    # CompiledPlan.execute() of this release calls the method below with the wrong arguments.
    environment._before_execute()  # noqa: SLF001
    result = compiled._j_compiled_plan.execute()  # noqa: SLF001
    return str(result.getJobClient().get().getJobID().toString())


def configure(
    settings: Settings, statement: Statement, *, jars: list[Path], savepoint: str | None
) -> Configuration:
    """Where the job goes, how it checkpoints, and what it restarts from."""
    flink = settings.flink
    host, _, port = flink.rest_url.removeprefix("http://").partition(":")
    values = {
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": host,
        "rest.port": port.rstrip("/") or "8081",
        "pipeline.name": flink.job_name,
        "pipeline.jars": ";".join(jar.resolve().as_uri() for jar in jars),
        "pipeline.object-reuse": "true",
        "pipeline.global-job-parameters": f"ruleset:{statement.ruleset}",
        "parallelism.default": str(flink.parallelism),
        "state.backend.type": flink.state_backend,
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.interval": f"{flink.checkpoint_interval_ms} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.dir": checkpoint_folder(settings),
        "execution.checkpointing.savepoint-dir": checkpoint_folder(settings),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
        "table.local-time-zone": "UTC",
        "table.plan.restore.catalog-objects": "ALL",
        "table.plan.compile.catalog-objects": "ALL",
    }
    if savepoint is not None:
        values["execution.state-recovery.path"] = savepoint
    configuration = Configuration()
    for key, value in values.items():
        configuration.set_string(key, value)
    return configuration


def checkpoint_folder(settings: Settings) -> str:
    """The folder of checkpoints and savepoints, as a URI."""
    if settings.flink.checkpoint_dir:
        return settings.flink.checkpoint_dir
    return (settings.stack.home / "flink" / "checkpoints").resolve().as_uri()


if __name__ == "__main__":
    sys.exit(main())
