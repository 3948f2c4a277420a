"""``fraudlake lake``: the tables themselves: their columns, their files, their past."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.lakehouse.schema import Change
    from sinks.lakehouse.upkeep.round import Task

lake = typer.Typer(
    name="lake",
    help="The tables of the lakehouse: bring up their columns, keep them fast and small.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table", help="decisions, labels, dead_letters, rulesets; again for more. Else all."
    ),
]
RuleSet = Annotated[
    str | None,
    typer.Option("--ruleset", help="Whose features the tables must hold; else the setting's."),
]
Feature = Annotated[
    list[str] | None,
    typer.Option("--feature", help="A feature more, by name; again for more."),
]


def register(app: typer.Typer) -> None:
    """Hang the commands on the application."""
    app.add_typer(lake)


@lake.command()
def apply(ruleset: RuleSet = None, feature: Feature = None, as_json: AsJson = False) -> None:
    """Make the tables, or add the columns and features that they do not have yet.

    `fraudlake job deploy` and `job submit` do it for you. Old rows show NULL; nothing is ever
    dropped or renamed. Example: fraudlake lake apply --ruleset my_rules.toml
    """
    from fraudlake.job.lake_tables import apply_tables
    from pipelines.settings import Settings

    settings = Settings.from_env()
    name = ruleset or settings.flink.ruleset
    _tell(apply_tables(settings, ruleset=name, more=feature or ()), as_json=as_json, is_done=True)


@lake.command()
def diff(ruleset: RuleSet = None, feature: Feature = None, as_json: AsJson = False) -> None:
    """What `apply` would do; exit code 1 if there is anything.

    Example: fraudlake lake diff --ruleset my_rules.toml
    """
    from fraudlake.job.lake_tables import plan_tables
    from pipelines.settings import Settings

    settings = Settings.from_env()
    changes = plan_tables(settings, ruleset=ruleset or settings.flink.ruleset, more=feature or ())
    _tell(changes, as_json=as_json, is_done=False)
    if changes:
        raise typer.Exit(1)


@lake.command()
def stats(table: Tables = None, as_json: AsJson = False) -> None:
    """Rows, files and their state, snapshots and metadata of each table.

    Example: fraudlake lake stats --table decisions
    """
    from fraudlake.commands.lake_figures import show_figures
    from pipelines.settings import Settings
    from sinks.lakehouse.upkeep.round import read_all_figures

    figures = read_all_figures(Settings.from_env(), table or ())
    if as_json:
        typer.echo(json.dumps({"tables": [asdict(one) for one in figures]}, default=str))
    else:
        show_figures(figures)


@lake.command()
def compact(table: Tables = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Write the small files of closed days into a few large ones, sorted for card look-ups.

    Days that ended less than lakehouse.closed_after_h ago are left alone. Safe while the sink runs.
    Example: fraudlake lake compact --dry-run
    """
    _run(("compact",), table, dry_run=dry_run, as_json=as_json)


@lake.command()
def expire(table: Tables = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Forget all but the newest snapshots and full hours, and delete what only they needed.

    lakehouse.keep_snapshots and keep_snapshots_h say how many: so far does `--as-of` reach back.
    Example: FRAUDLAKE_LAKEHOUSE_KEEP_SNAPSHOTS=500 fraudlake lake expire
    """
    _run(("expire",), table, dry_run=dry_run, as_json=as_json)


@lake.command()
def sweep(table: Tables = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Delete files that belong to no snapshot and are older than lakehouse.sweep_after_h.

    Killed writers leave them. Example: fraudlake lake sweep --dry-run
    """
    _run(("sweep",), table, dry_run=dry_run, as_json=as_json)


@lake.command()
def upkeep(table: Tables = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Compact, expire and sweep: what should run once an hour or day.

    Example: fraudlake lake upkeep
    """
    _run(("compact", "expire", "sweep"), table, dry_run=dry_run, as_json=as_json)


def _run(
    tasks: Sequence[Task], tables: Sequence[str] | None, *, dry_run: bool, as_json: bool
) -> None:
    from rich.console import Console

    from fraudlake.commands.lake_figures import show_change
    from pipelines.settings import Settings
    from sinks.lakehouse.upkeep.round import keep_up

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    report = keep_up(
        Settings.from_env(), tasks, tables=tables or (), dry_run=dry_run, say=console.print
    )
    if as_json:
        typer.echo(json.dumps(asdict(report), default=str))
    elif not dry_run:
        show_change(report)


def _tell(changes: Sequence[Change], *, as_json: bool, is_done: bool) -> None:
    from fraudlake.job.lake_tables import describe

    if as_json:
        typer.echo(json.dumps({"changes": [describe(change) for change in changes]}))
        return
    for change in changes:
        typer.echo(describe(change))
    if not changes:
        typer.echo(
            "the tables are what they should be; nothing was done"
            if is_done
            else "the tables are what they should be"
        )
