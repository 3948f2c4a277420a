"""`fraudlake alerts diff | apply | expire`: the indices that the alerts are in."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sinks.alerts.apply import Applied
    from sinks.alerts.differences import Difference
    from sinks.alerts.indices import MonthIndex
    from sinks.alerts.rebuild import Step
    from sinks.alerts.retention import Expiry, Judged

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Reindex = Annotated[
    bool, typer.Option("--reindex", help="Build the months anew that cannot be changed in place.")
]
Months = Annotated[
    list[str] | None,
    typer.Option(
        "--month", help="With --reindex: this one in any case, as 2026.11; again for more."
    ),
]


def add_index_verbs(app: typer.Typer) -> None:
    """Hang the commands on ``fraudlake alerts``."""
    for command in (diff, apply, expire):
        app.command()(command)


def diff(as_json: AsJson = False) -> None:
    """What the indices have otherwise than this release; exit code 1 if there is anything.

    Template, alias, and each month's mapping and settings, field by field.

    Example: [bold]fraudlake alerts diff[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts.differences import read_differences

    found = read_differences(Settings.from_env())
    if as_json:
        typer.echo(json.dumps({"differences": [asdict(one) for one in found]}))
    else:
        _tell(found, nothing="the indices are what they should be")
    if found:
        raise typer.Exit(1)


def apply(
    dry_run: DryRun = False,
    reindex: Reindex = False,
    month: Months = None,
    as_json: AsJson = False,
) -> None:
    """Put template, alias and changes of the mapping in place, while everything runs.

    What needs a new index is named, and done with --reindex only: the month is copied, caught up
    and exchanged in one step. Exit code 1 if something is left. Again after a crash: it goes on.

    Example: [bold]fraudlake alerts apply --reindex[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts.apply import Applied, apply_index
    from sinks.alerts.differences import read_differences
    from sinks.alerts.index_lock import hold_indices

    if month and not reindex:
        msg = "--month goes with --reindex"
        raise typer.BadParameter(msg)
    settings = Settings.from_env()
    if dry_run:
        found = read_differences(settings)
        applied = Applied(
            done=[one for one in found if one.remedy == "in place"],
            left=[one for one in found if one.remedy != "in place"],
        )
    else:
        with (
            hold_indices(settings, "fraudlake alerts apply", say=_say) as confirm,
            _progress() as on_step,
        ):
            applied = apply_index(
                settings, reindex=reindex, months=month or (), on_step=on_step, confirm=confirm
            )
    if as_json:
        typer.echo(json.dumps({**asdict(applied), "dry_run": dry_run}))
    else:
        _tell_applied(applied, dry_run=dry_run, reindex=reindex)
    if applied.left and not (dry_run and reindex):
        raise typer.Exit(1)


def expire(
    months: Annotated[
        int | None,
        typer.Option(min=1, max=1200, help="How many to keep; else elasticsearch.keep_months."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete the months whose alerts are all older than so many months, and all closed.

    A month with a case that is not closed, or a verdict whose labels are not sent, stays whole; so
    does the newest one.

    Example: [bold]fraudlake alerts expire --months 6 --dry-run[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts.index_lock import hold_indices
    from sinks.alerts.retention import Expiry, expire_months, read_retention

    settings = Settings.from_env()
    keep = settings.elasticsearch.keep_months if months is None else months
    today = datetime.now(UTC).date()
    if dry_run:
        judged = tuple(read_retention(settings, today=today, keep_months=keep))
        expiry = Expiry(before=judged, after=judged, deleted=())
    else:
        with hold_indices(settings, "fraudlake alerts expire", say=_say) as confirm:
            expiry = expire_months(
                settings, today=today, keep_months=keep, say=_say, confirm=confirm
            )
    if as_json:
        report = {**asdict(expiry), "keep_months": keep, "dry_run": dry_run}
        typer.echo(json.dumps(report, default=str))
        return
    _show_expiry(expiry, keep=keep, dry_run=dry_run)


@contextmanager
def _progress() -> Iterator[Callable[[MonthIndex, Step], None]]:
    """A bar for the month that is being copied, on the terminal of a person."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    is_seen = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not is_seen) as progress:
        task = progress.add_task("", visible=False)

        def on_step(month: MonthIndex, step: Step) -> None:
            progress.update(
                task,
                description=f"{month.plain_name}: {step.what}",
                completed=step.done,
                total=step.total,
                visible=True,
            )

        yield on_step


def _tell_applied(applied: Applied, *, dry_run: bool, reindex: bool) -> None:
    for one in applied.done:
        typer.echo(f"{_describe(one)}{'' if dry_run else ': done'}")
    for month in applied.rebuilt:
        typer.echo(
            f"{month.plain_name} is {month.name} now: {month.documents:,} alerts, "
            f"closed to writing for {month.closed_seconds:.1f} s"
        )
    for one in applied.left:
        typer.echo(_describe(one))
    if dry_run:
        typer.echo("nothing was done")
    elif not reindex and any(one.remedy == "new index" for one in applied.left):
        typer.echo(
            "left as it is. `fraudlake alerts apply --reindex` does it, while everything runs"
        )
    elif not (applied.done or applied.rebuilt or applied.left):
        typer.echo("the indices are what they should be; nothing was done")


def _tell(differences: Sequence[Difference], *, nothing: str) -> None:
    for one in differences:
        typer.echo(_describe(one))
    if not differences:
        typer.echo(nothing)


def _describe(difference: Difference) -> str:
    how = {"in place": "", "new index": " (needs a new index)", "by hand": " (by hand)"}
    return f"{difference.index}: {difference.text}{how[difference.remedy]}"


def _show_expiry(expiry: Expiry, *, keep: int, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if not expiry.before:
        typer.echo("no alerts yet: there is nothing to delete")
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    shown.add_column("month", no_wrap=True)
    for head in ("alerts", "not closed", "labels to send"):
        shown.add_column(head, justify="right", no_wrap=True)
    shown.add_column("")
    now = {one.figures.name: one for one in expiry.after}
    for before in expiry.before:
        is_deleted = before.figures.name in expiry.deleted
        judged = before if is_deleted else now.get(before.figures.name, before)
        figures = judged.figures
        counts = (figures.documents, figures.not_closed, figures.labels_pending)
        alerts, not_closed, pending = ("?" if figures.is_closed else f"{n:,}" for n in counts)
        shown.add_row(
            f"{figures.month:%Y-%m}",
            f"{alerts}{' → [bold]0[/bold]' if is_deleted else ''}",
            not_closed,
            pending,
            "deleted" if is_deleted else _say_fate(judged, keep=keep),
        )
    Console(highlight=False).print(shown)
    if dry_run:
        typer.echo("nothing was done")


def _say_fate(judged: Judged, *, keep: int) -> str:
    return {
        "young": f"kept: within {keep} months",
        "newest": "kept: the newest",
        "unfinished": f"kept: {judged.figures.unfinished:,} unfinished",
        "rebuilding": "kept: see `alerts diff`",
        "closed": "kept: closed by `_close`",
        "expired": "can be deleted",
    }[judged.fate.value]


def _say(text: str) -> None:
    typer.echo(text, err=True)
