"""``fraudlake job deploy``: a changed rule set, feature or release in place of the running job."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fraudlake.job.deploy import Deployed
    from fraudlake.job.switch_report import SwitchReport


def deploy(
    ruleset: Annotated[
        str | None,
        typer.Option(help="A shipped rule set, or a file of yours; else the one deployed last."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Make the running job what rules, code and settings say, on the state that it has.

    Does nothing where nothing has changed. What cannot run is refused while the old job runs on; a
    new job that fails is taken back, and so is a change that is interrupted. Prints how long no
    decision was made, and what was lost or decided twice.

    Example: [bold]fraudlake job deploy --ruleset my_rules.toml[/bold]
    """
    from rich.console import Console

    from fraudlake.job.deploy import deploy_job
    from fraudlake.stopping import interrupt_on_ending
    from pipelines.settings import Settings

    interrupt_on_ending()
    console = Console(stderr=True, highlight=False)
    deployed = deploy_job(Settings.from_env(), ruleset=ruleset, say=console.print)
    typer.echo(json.dumps(asdict(deployed)) if as_json else _tell(deployed))
    switch = deployed.switch
    if switch is not None and (switch.lost or switch.doubled or switch.is_stuck):
        raise typer.Exit(1)


def _tell_progress(switch: SwitchReport) -> str:
    if switch.decided_under_new:
        return f"{switch.decided_under_new:,} decisions under the new version so far"
    if switch.is_stuck:
        return (
            "transactions wait, and the new job has taken none of them. See what it says of itself "
            "with `fraudlake job status`"
        )
    return "nothing came in since, so no decision shows the new version yet"


def _tell(deployed: Deployed) -> str:
    if deployed.outcome == "unchanged":
        return f"job {deployed.job_id} is that already: {deployed.ruleset}, nothing was done"
    origin = f"from {deployed.savepoint}" if deployed.savepoint else "with empty profiles"
    lines = [f"job {deployed.job_id} runs {deployed.ruleset}, {origin}"]
    switch = deployed.switch
    if switch is not None:
        gap = "unknown" if switch.gap_s is None else f"{switch.gap_s:.1f} s"
        lines.append(
            f"gap {gap}, lost {switch.lost:,}, doubled {switch.doubled:,}, "
            f"of {switch.records:,} records around the change"
        )
        lines.append(_tell_progress(switch))
    return "\n".join(lines)
