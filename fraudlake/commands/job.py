"""``fraudlake job``: plan, submit, look at, keep and stop the Flink job."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from fraudlake.commands.job_deploy import deploy
from fraudlake.commands.job_plan import plan
from fraudlake.commands.job_status import status

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
    job.command()(status)
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

    from fraudlake.job.start import submit_if_missing, submit_job
    from pipelines.settings import Settings

    if savepoint is not None and fresh:
        msg = "--savepoint goes on from a state, and --fresh from none: give one of them"
        raise typer.BadParameter(msg)
    if if_missing and (fresh or savepoint is not None):
        msg = "--if-missing goes on from the newest state: give it without --fresh or --savepoint"
        raise typer.BadParameter(msg)
    settings = Settings.from_env()
    console = Console(stderr=True, highlight=False)
    with console.status("planning and submitting the job (about 15 s)"):
        deployed = (
            submit_if_missing(settings, ruleset=ruleset, say=console.print, warn=console.print)
            if if_missing
            else submit_job(
                settings,
                ruleset=ruleset,
                is_fresh=fresh,
                savepoint=savepoint,
                say=console.print,
                warn=console.print,
            )
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
def restore(
    unattended: Annotated[
        bool,
        typer.Option("--unattended", help="Count it as an attempt of the keeper's, and end there."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a lost or cancelled job again, as it was deployed last, from its newest state.

    Rules or code that changed since wait for a deploy. Does nothing if it runs; one that
    `fraudlake job stop` stopped stays stopped. Example: fraudlake job restore
    """
    from rich.console import Console

    from fraudlake.job.restore import restore_job
    from fraudlake.job.revival import revive_held
    from pipelines.settings import Settings

    with Console(stderr=True).status("starting the job as it was"):
        deployed = restore_job(Settings.from_env(), start=revive_held if unattended else None)
    if deployed is None:
        typer.echo(json.dumps({"state": "already runs"}) if as_json else "the job runs already")
    elif as_json:
        typer.echo(json.dumps(asdict(deployed)))
    else:
        origin = "empty profiles" if deployed.savepoint is None else deployed.savepoint
        typer.echo(f"job {deployed.job_id} runs {deployed.ruleset} again, from {origin}")


@job.command()
def keep() -> None:
    """Look after the job: start it again when the cluster has lost it. Runs until it is ended.

    `fraudlake up` runs this beside the sinks. A job that was stopped by `fraudlake job stop` stays
    stopped until `fraudlake job submit` or `fraudlake up`; so does one that was lost again and
    again.
    """
    from datetime import UTC, datetime

    from fraudlake.job.keeper import keep_job
    from pipelines.settings import Settings

    def say(text: str) -> None:
        typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}")

    keep_job(Settings.from_env(), say)


@job.command()
def stop(as_json: AsJson = False) -> None:
    """Stop the job with a savepoint, from which the next `submit` goes on."""
    from rich.console import Console

    from fraudlake.job.stop import stop_job
    from pipelines.settings import Settings

    with Console(stderr=True).status("stopping with a savepoint"):
        savepoint = stop_job(Settings.from_env())
    typer.echo(json.dumps({"savepoint": savepoint}) if as_json else f"stopped; state: {savepoint}")
