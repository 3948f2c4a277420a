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
    from datetime import datetime

    from rich.console import Console

    from sinks.lakehouse.query import Answer, Lake

# Snapshot ids are random numbers of 63 bits; no year has this many digits.
_SHORTEST_SNAPSHOT_ID = 9
_NARROWEST_COLUMN = 9


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
    rows: Annotated[int, typer.Option(min=1, help="How many rows a table shows.")] = 100,
    list_columns: Annotated[
        bool, typer.Option("--list", help="Show tables and columns instead.")
    ] = False,
) -> None:
    """Ask the lakehouse: decisions, labels, dead_letters, and rule_fires (one row per fired rule).

    Read only, and safe while the sink runs. Feature values are members of `features`.

    Examples:

    fraudlake sql "select band, count(*) from decisions group by 1"

    fraudlake sql "select card_id, features.travel_kmh from decisions order by 2 desc limit 5"

    fraudlake sql --file q.sql --format parquet -o answer.parquet

    fraudlake sql "select count(*) from decisions" --as-of 2026-03-01T12:00
    """
    if query is None and file is None and not list_columns:
        typer.echo(ctx.get_help())
        return
    question = _read_question(query, file)
    _check_output(output_format, output)

    from pipelines.settings import Settings
    from sinks.lakehouse.query import open_lake

    moment = None if as_of is None else _parse_moment(as_of)
    with open_lake(Settings.from_env(), as_of=moment) as lake:
        if list_columns:
            _show_columns(lake, output_format)
        elif output_format is Format.TABLE:
            _show_rows(lake, question, rows)
        else:
            _write(lake, question, output_format, output)


def _read_question(query: str | None, file: Path | None) -> str:
    if query is not None and file is not None:
        msg = "give the question or --file, not both"
        raise typer.BadParameter(msg, param_hint="--file")
    return file.read_text(encoding="utf-8") if file is not None else query or ""


def _check_output(output_format: Format, output: Path | None) -> None:
    if output_format is Format.PARQUET and output is None:
        msg = "parquet needs a file: add -o FILE"
        raise typer.BadParameter(msg, param_hint="--format")
    if output_format is Format.TABLE and output is not None:
        msg = "a table is for the screen: add --format csv, json or parquet"
        raise typer.BadParameter(msg, param_hint="--output")


def _parse_moment(text: str) -> datetime | int:
    from datetime import UTC, datetime

    if text.isdigit() and len(text) >= _SHORTEST_SNAPSHOT_ID:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is neither a time like 2026-03-01T12:00 nor a snapshot's id"
        raise typer.BadParameter(msg, param_hint="--as-of") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _write(lake: Lake, question: str, output_format: Format, output: Path | None) -> None:
    """Through a file in any case: DuckDB writes it as it reads, whatever the size."""
    options = _COPY_OPTIONS[output_format]
    if output is not None:
        lake.write(question, str(output), options=options)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer"
        lake.write(question, str(path), options=options)
        with path.open(encoding="utf-8") as answer:
            shutil.copyfileobj(answer, sys.stdout)


def _show_rows(lake: Lake, question: str, limit: int) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    answer = lake.ask(question, limit=limit)
    console = Console(emoji=False)  # ":fire:" in a value is text
    if len(answer.columns) * _NARROWEST_COLUMN > console.width:
        _show_records(console, answer)
    else:
        table = Table()
        for name, type_ in answer.columns:
            numeric = _is_number(type_)
            table.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
        for row in answer.rows:
            table.add_row(*(_show(value) for value in row))
        console.print(table)
    if answer.is_cut:
        more = f"the first {limit} rows; more with --rows, all with --format csv"
        Console(stderr=True).print(more, style="dim", highlight=False)


def _show_records(console: Console, answer: Answer) -> None:
    """Too many columns for the screen: each row as a block of its own."""
    from rich.markup import escape
    from rich.table import Table

    for at, row in enumerate(answer.rows, start=1):
        block = Table.grid(padding=(0, 2))
        for (name, _), value in zip(answer.columns, row, strict=True):
            block.add_row(f"[bold]{escape(name)}[/bold]", _show(value))
        console.rule(f"row {at}", align="left")
        console.print(block)
    if not answer.rows:
        console.print(f"0 rows of {len(answer.columns)} columns", highlight=False)


def _show_columns(lake: Lake, output_format: Format) -> None:
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    listed = lake.list_columns()
    if output_format is Format.JSON:
        Console().print_json(data=[asdict(column) for column in listed])
        return
    table = Table()
    for name in ("table", "column", "type", "meaning"):
        table.add_column(name, overflow="fold")
    shown = ""
    for column in listed:
        if shown not in ("", column.view):
            table.add_section()
        first = "" if column.view == shown else f"[bold]{column.view}[/bold]"
        table.add_row(first, column.name, column.type.replace("[", r"\["), column.about)
        shown = column.view
    Console(emoji=False).print(table)


def _is_number(type_: str) -> bool:
    return type_.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or type_.endswith("INT")


def _show(value: Any) -> str:
    from datetime import datetime

    from rich.markup import escape

    if value is None:
        return "[dim]NULL[/dim]"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    return escape(str(value))
