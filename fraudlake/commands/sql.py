"""``fraudlake sql``: ask the history of decisions, labels and dead letters."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from fraudlake.sql.modes import MODES, Asked, Format, Mode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# Snapshot ids are random numbers of 63 bits; no year has this many digits.
_SHORTEST_SNAPSHOT_ID = 9


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command()(sql)


def sql(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="One SELECT, in DuckDB's SQL.")] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", exists=True, dir_okay=False, help="Read it here.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="Ask a ready question; see --list.")
    ] = None,
    settings_of_run: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of the ready question; again for more."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="With --run: print its SQL, to begin one of yours.")
    ] = False,
    output_format: Annotated[
        Format, typer.Option("--format", help="How to write the answer.")
    ] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="Write it here.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|SNAPSHOT",
            help="The tables as they were then (UTC): the last commits are kept, and full hours.",
        ),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="decisions_labelled with what was known then (UTC)."),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many rows a table shows.")] = 100,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how it is answered, step by step, instead.")
    ] = False,
    list_questions: Annotated[
        bool, typer.Option("--list", help="Show the ready questions instead.")
    ] = False,
    list_columns: Annotated[
        bool, typer.Option("--columns", help="Show views and columns instead.")
    ] = False,
) -> None:
    """Ask the lakehouse: decisions, labels, dead_letters, rule_fires, alerts_by_day and more.

    Read only, and safe while the sink runs. Feature values are members of `features`. Without a
    question, on a terminal: a prompt that completes names. Otherwise the question is read from
    standard input.

    Examples:

    fraudlake sql "select band, count(*) from decisions group by 1"

    fraudlake sql --run top_merchants --set days=7

    fraudlake sql --file q.sql --format parquet -o answer.parquet

    fraudlake sql "select count(*) from decisions" --as-of 2026-03-01T12:00
    """
    is_bare = query is None and file is None and run is None
    mode = _choose_mode(
        {"--list": list_questions, "--columns": list_columns, "--show": show, "--explain": explain},
        is_prompt=is_bare and sys.stdin.isatty(),
        output_format=output_format,
    )
    _check_options(ctx, mode)
    if is_bare and "query" in mode.takes:
        query = sys.stdin.read()
        if query.strip() == "":
            typer.echo(ctx.get_help())
            return
    asked = Asked(
        query=query,
        file=file,
        run=run,
        settings_of_run=settings_of_run or (),
        output_format=output_format,
        output=output,
        as_of=None if as_of is None else _parse_moment(as_of),
        known_at=None if known_at is None else _parse_time(known_at, "--known-at"),
        rows=rows,
    )
    mode.do(asked)


def _choose_mode(flags: Mapping[str, bool], *, is_prompt: bool, output_format: Format) -> Mode:
    wanted = [flag for flag, is_given in flags.items() if is_given]
    if len(wanted) > 1:
        msg = f"{' and '.join(wanted)} do different things: give one of them"
        raise typer.BadParameter(msg)
    if wanted:
        return MODES[wanted[0]]
    return MODES["the prompt" if is_prompt else f"--format {output_format}"]


def _check_options(ctx: typer.Context, mode: Mode) -> None:
    """Refuse what would be ignored."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        is_given = source is not None and source.name == "COMMANDLINE"
        flag = "the question" if name == "query" else parameter.opts[0]
        if is_given and name not in mode.takes and flag != mode.name:
            msg = f"{flag} means nothing with {mode.name}: leave it out"
            raise typer.BadParameter(msg)


def _parse_moment(text: str) -> datetime | int:
    if text.isdigit() and len(text) >= _SHORTEST_SNAPSHOT_ID:
        return int(text)
    return _parse_time(text, "--as-of", more=" nor a snapshot's id")


def _parse_time(text: str, option: str, *, more: str = "") -> datetime:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        neither = "neither" if more else "not"
        msg = f"{text!r} is {neither} a time like 2026-03-01T12:00{more}"
        raise typer.BadParameter(msg, param_hint=option) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
