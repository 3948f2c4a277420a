"""``fraudlake job``: plan, submit, look at, keep and stop the Flink job."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fraudlake.commands.job_deploy import deploy
from fraudlake.commands.job_plan import plan

if TYPE_CHECKING:
    from pipelines.flink import FlinkRest, Job
    from pipelines.settings import Settings

job = typer.Typer(
    name="job",
    help="The Flink job: plan it, submit it, look at it, stop it with its state.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def register(app: typer.Typer) -> None:
    """Hang the commands on the application."""
    job.command()(plan)
    job.command()(deploy)
    app.add_typer(job)


@job.command()
def submit(
    ruleset: Annotated[
        str | None,
        typer.Option(help="A shipped rule set, or a file of yours; else the one deployed last."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget all profiles: start without the saved state.")
    ] = False,
    savepoint: Annotated[
        str | None,
        typer.Option(help="Go on from this savepoint or checkpoint, not from the newest."),
    ] = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing if the job runs or restarts.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the job; it goes on where it was stopped, and the stack keeps it running.

    Example: fraudlake job submit --ruleset speed
    """
    from rich.console import Console

    from fraudlake.deployment import submit_if_missing, submit_job
    from pipelines.settings import Settings

    if savepoint is not None and fresh:
        msg = "--savepoint goes on from a state, and --fresh from none: give one of them"
        raise typer.BadParameter(msg)
    if if_missing and (fresh or savepoint is not None):
        msg = "--if-missing goes on from the newest state: give it without --fresh or --savepoint"
        raise typer.BadParameter(msg)
    settings = Settings.from_env()
    with Console(stderr=True).status("planning and submitting the job (about 15 s)"):
        deployed = (
            submit_if_missing(settings, ruleset=ruleset)
            if if_missing
            else submit_job(settings, ruleset=ruleset, is_fresh=fresh, savepoint=savepoint)
        )
    if deployed is None:
        typer.echo(json.dumps({"state": "already runs"}) if as_json else "the job runs already")
        return
    if as_json:
        typer.echo(json.dumps(asdict(deployed)))
        return
    origin = "with empty profiles" if deployed.savepoint is None else f"from {deployed.savepoint}"
    typer.echo(f"job {deployed.job_id} runs rule set {deployed.ruleset}, started {origin}")
    typer.echo(f"its page: {deployed.url}")


@job.command()
def keep() -> None:
    """Look after the job: start it again when the cluster has lost it. Runs until it is ended.

    `fraudlake up` runs this beside the sinks. A job that was stopped by `fraudlake job stop` stays
    stopped until `fraudlake job submit` or `fraudlake up`.
    """
    from datetime import UTC, datetime

    from fraudlake.keeper import keep_job
    from pipelines.settings import Settings

    def say(text: str) -> None:
        typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}")

    keep_job(Settings.from_env(), say)


@job.command()
def stop(as_json: AsJson = False) -> None:
    """Stop the job with a savepoint, from which the next `submit` goes on."""
    from rich.console import Console

    from fraudlake.deployment import stop_job
    from pipelines.settings import Settings

    with Console(stderr=True).status("stopping with a savepoint"):
        savepoint = stop_job(Settings.from_env())
    typer.echo(json.dumps({"savepoint": savepoint}) if as_json else f"stopped; state: {savepoint}")


@job.command()
def status(as_json: AsJson = False) -> None:
    """State, rule set, checkpoints and lag of the job. Exit code 1 when it does not run."""
    from pipelines.flink import FlinkRest
    from pipelines.settings import Settings

    settings = Settings.from_env()
    rest = FlinkRest(settings.flink.rest_url)
    jobs = rest.jobs(settings.flink.job_name)
    if not jobs:
        typer.echo(json.dumps({"state": "absent"}) if as_json else "no such job was ever submitted")
        raise typer.Exit(1)
    facts = _facts(rest, settings, jobs[0])
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        _show(facts)
    if facts["state"] != "RUNNING":
        raise typer.Exit(1)


def _facts(rest: FlinkRest, settings: Settings, found: Job) -> dict[str, object]:
    from pipelines.kafka import read_group_offsets, read_offsets

    checkpoints = rest.checkpoints(found.job_id)
    topic = settings.kafka.topics().transactions.name
    group = f"{settings.kafka.topic_prefix}{settings.flink.job_name}"
    ends = read_offsets(settings.kafka, topic)
    read = read_group_offsets(settings.kafka, group, topic)
    lag = sum(held.end - read.get(partition, held.start) for partition, held in ends.items())
    return {
        "job_id": found.job_id,
        "name": found.name,
        "state": found.state,
        "ruleset": rest.parameters(found.job_id).get("ruleset"),
        "uptime_s": found.duration_ms // 1000,
        "lag_records": lag,
        "checkpoints_completed": checkpoints.completed,
        "checkpoints_failed": checkpoints.failed,
        "restores": checkpoints.restored,
        "state_bytes": checkpoints.latest_bytes,
        "checkpoint_duration_ms": checkpoints.latest_duration_ms,
        "last_failure": rest.root_cause(found.job_id),
        "url": f"{settings.flink.rest_url}/#/job/{found.job_id}",
    }


def _show(facts: dict[str, object]) -> None:
    for name, value in facts.items():
        if value is not None:
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            typer.echo(f"{name.replace('_', ' '):<24}{shown}")
