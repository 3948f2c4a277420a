"""``fraudlake sql``: ask the history of decisions, labels and dead letters."""

from __future__ import annotations

import shutil
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sinks.lakehouse.lake import Lake

# Snapshot ids are random numbers of 63 bits; no year has this many digits.
_SHORTEST_SNAPSHOT_ID = 9


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


_COPY_OPTIONS = {
    Format.CSV: "FORMAT csv, HEADER true",
    Format.JSON: "FORMAT json, ARRAY true",
    Format.PARQUET: "FORMAT parquet, COMPRESSION zstd",
}


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
        typer.Option(metavar="TIME|SNAPSHOT", help="The tables as they were then (UTC)."),
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
    from pipelines.settings import Settings
    from sinks.lakehouse.query import open_lake
    from sinks.lakehouse.questions import ready_questions

    if list_questions:
        from fraudlake.sql.show import show_questions

        show_questions(ready_questions(), as_json=output_format is Format.JSON)
        return
    _check_output(output_format, output)
    then = None if as_of is None else _parse_moment(as_of)
    known = None if known_at is None else _parse_time(known_at, "--known-at")
    settings = Settings.from_env()
    if list_columns:
        from fraudlake.sql.show import show_columns

        with open_lake(settings, as_of=then) as lake:
            show_columns(lake.list_columns(), as_json=output_format is Format.JSON)
        return
    if query is None and file is None and run is None and sys.stdin.isatty():
        from fraudlake.sql.prompt import ask_until_quit

        ask_until_quit(settings, as_of=then, known_at=known)
        return
    question, values = _read_question(query, file, run, settings_of_run or ())
    if question.strip() == "":
        typer.echo(ctx.get_help())
        return
    if show:
        typer.echo(question.rstrip())
        return
    with open_lake(settings, as_of=then, known_at=known) as lake:
        if explain:
            _explain(lake, question, values)
        elif output_format is Format.TABLE:
            from fraudlake.sql.show import show_answer

            show_answer(lake.ask(question, values, limit=rows), limit=rows)
        else:
            _write(lake, question, values, output_format, output)


def _read_question(
    query: str | None, file: Path | None, run: str | None, given: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """The SQL, and the values that are bound to its names."""
    from sinks.lakehouse.questions import find_question

    if sum(one is not None for one in (query, file, run)) > 1:
        msg = "give one of: the question, --file, --run"
        raise typer.BadParameter(msg)
    if run is not None:
        question = find_question(run)
        return question.sql, question.bind(dict(_split(pair) for pair in given))
    if given:
        msg = "it sets what a ready question takes: add --run NAME"
        raise typer.BadParameter(msg, param_hint="--set")
    if file is not None:
        return file.read_text(encoding="utf-8"), {}
    return sys.stdin.read() if query is None else query, {}


def _split(pair: str) -> tuple[str, str]:
    name, is_given, value = pair.partition("=")
    if not is_given:
        msg = f"{pair!r} is not NAME=VALUE"
        raise typer.BadParameter(msg, param_hint="--set")
    return name, value


def _check_output(output_format: Format, output: Path | None) -> None:
    if output_format is Format.PARQUET and output is None:
        msg = "parquet needs a file: add -o FILE"
        raise typer.BadParameter(msg, param_hint="--format")
    if output_format is Format.TABLE and output is not None:
        msg = "a table is for the screen: add --format csv, json or parquet"
        raise typer.BadParameter(msg, param_hint="--output")


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


def _explain(lake: Lake, question: str, values: dict[str, Any]) -> None:
    typer.echo(lake.explain(question, values))
    for name, count in sorted(lake.count_files().items()):
        how = "read whole by pyiceberg" if count is None else f"{count:,} files"
        typer.echo(f"{name}: {how}")


def _write(
    lake: Lake,
    question: str,
    values: dict[str, Any],
    output_format: Format,
    output: Path | None,
) -> None:
    """Through a file in any case: DuckDB writes it as it reads, whatever the size."""
    options = _COPY_OPTIONS[output_format]
    if output is not None:
        lake.write(question, values, path=str(output), options=options)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer"
        lake.write(question, values, path=str(path), options=options)
        with path.open(encoding="utf-8") as answer:
            shutil.copyfileobj(answer, sys.stdout)
