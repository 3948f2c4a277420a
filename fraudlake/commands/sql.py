"""``fraudlake sql``: ask the history of decisions, labels and dead letters."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says, read."""

    query: str | None
    file: Path | None
    run: str | None
    settings_of_run: Sequence[str]
    output_format: Format
    output: Path | None
    as_of: datetime | int | None
    known_at: datetime | None
    rows: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mode:
    """One thing that the command does, and the options that mean something to it."""

    name: str
    takes: frozenset[str]
    do: Callable[[Asked], None]


def _choose_mode(flags: Mapping[str, bool], *, is_prompt: bool, output_format: Format) -> _Mode:
    wanted = [flag for flag, is_given in flags.items() if is_given]
    if len(wanted) > 1:
        msg = f"{' and '.join(wanted)} do different things: give one of them"
        raise typer.BadParameter(msg)
    if wanted:
        return _MODES[wanted[0]]
    return _MODES["the prompt" if is_prompt else f"--format {output_format}"]


def _check_options(ctx: typer.Context, mode: _Mode) -> None:
    """Refuse what would be ignored."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        is_given = source is not None and source.name == "COMMANDLINE"
        flag = "the question" if name == "query" else parameter.opts[0]
        if is_given and name not in mode.takes and flag != mode.name:
            msg = f"{flag} means nothing with {mode.name}: leave it out"
            raise typer.BadParameter(msg)


def _list_questions(asked: Asked) -> None:
    from fraudlake.sql.show import show_questions
    from sinks.lakehouse.questions import ready_questions

    _check_listing(asked)
    show_questions(ready_questions(), as_json=asked.output_format is Format.JSON)


def _list_columns(asked: Asked) -> None:
    from fraudlake.sql.show import show_columns
    from pipelines.settings import Settings
    from sinks.lakehouse.query import open_lake

    _check_listing(asked)
    with open_lake(Settings.from_env(), as_of=asked.as_of) as lake:
        show_columns(lake.list_columns(), as_json=asked.output_format is Format.JSON)


def _check_listing(asked: Asked) -> None:
    if asked.output_format not in (Format.TABLE, Format.JSON):
        msg = "a list is a table or json"
        raise typer.BadParameter(msg, param_hint="--format")


def _show_ready(asked: Asked) -> None:
    from sinks.lakehouse.questions import find_question

    if asked.run is None:
        msg = "it prints the SQL of a ready question: add --run NAME"
        raise typer.BadParameter(msg, param_hint="--show")
    typer.echo(find_question(asked.run).sql.rstrip())


def _prompt(asked: Asked) -> None:
    from fraudlake.sql.prompt import ask_until_quit
    from pipelines.settings import Settings

    ask_until_quit(Settings.from_env(), as_of=asked.as_of, known_at=asked.known_at)


def _answer(asked: Asked) -> None:
    from fraudlake.sql.show import show_answer

    def show(lake: Lake, question: str, values: dict[str, Any]) -> None:
        show_answer(lake.ask(question, values, limit=asked.rows), limit=asked.rows)

    _ask(asked, show)


def _explain(asked: Asked) -> None:
    def show(lake: Lake, question: str, values: dict[str, Any]) -> None:
        typer.echo(lake.explain(question, values))
        for name, count in sorted(lake.count_files().items()):
            how = "read by pyiceberg" if count is None else f"{count:,} files"
            typer.echo(f"{name}: {how}")

    _ask(asked, show)


def _write(asked: Asked) -> None:
    """Through a file in any case: DuckDB writes it as it reads, whatever the size."""
    options = _COPY_OPTIONS[asked.output_format]
    if asked.output_format is Format.PARQUET and asked.output is None:
        msg = "parquet needs a file: add -o FILE"
        raise typer.BadParameter(msg, param_hint="--format")

    def write(lake: Lake, question: str, values: dict[str, Any]) -> None:
        if asked.output is not None:
            lake.write(question, values, path=str(asked.output), options=options)
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answer"
            lake.write(question, values, path=str(path), options=options)
            with path.open(encoding="utf-8") as answer:
                shutil.copyfileobj(answer, sys.stdout)

    _ask(asked, write)


_QUESTION = frozenset({"query", "file", "run", "settings_of_run", "as_of", "known_at"})
_FILE = _QUESTION | {"output_format", "output"}
_MODES = {
    mode.name: mode
    for mode in (
        _Mode(name="--list", takes=frozenset({"output_format"}), do=_list_questions),
        _Mode(name="--columns", takes=frozenset({"output_format", "as_of"}), do=_list_columns),
        _Mode(name="--show", takes=frozenset({"run"}), do=_show_ready),
        _Mode(name="--explain", takes=_QUESTION, do=_explain),
        _Mode(name="the prompt", takes=frozenset({"as_of", "known_at"}), do=_prompt),
        _Mode(name="--format table", takes=_QUESTION | {"output_format", "rows"}, do=_answer),
        _Mode(name="--format csv", takes=_FILE, do=_write),
        _Mode(name="--format json", takes=_FILE, do=_write),
        _Mode(name="--format parquet", takes=_FILE, do=_write),
    )
}


def _ask(asked: Asked, do: Callable[[Lake, str, dict[str, Any]], None]) -> None:
    """``do`` with the open lakehouse, the SQL, and the values that are bound to its names."""
    from fraudlake.sql.show import show_slow
    from pipelines.settings import Settings
    from sinks.lakehouse.query import open_lake

    question, values = _read_question(asked)
    settings = Settings.from_env()
    with open_lake(settings, as_of=asked.as_of, known_at=asked.known_at) as lake:
        do(lake, question, values)
        show_slow(lake)


def _read_question(asked: Asked) -> tuple[str, dict[str, Any]]:
    from sinks.lakehouse.questions import find_question

    if sum(one is not None for one in (asked.query, asked.file, asked.run)) > 1:
        msg = "give one of: the question, --file, --run"
        raise typer.BadParameter(msg)
    if asked.run is not None:
        question = find_question(asked.run)
        return question.sql, question.bind(dict(_split(pair) for pair in asked.settings_of_run))
    if asked.settings_of_run:
        msg = "it sets what a ready question takes: add --run NAME"
        raise typer.BadParameter(msg, param_hint="--set")
    return asked.query or (asked.file.read_text(encoding="utf-8") if asked.file else ""), {}


def _split(pair: str) -> tuple[str, str]:
    name, is_given, value = pair.partition("=")
    if not is_given:
        msg = f"{pair!r} is not NAME=VALUE"
        raise typer.BadParameter(msg, param_hint="--set")
    return name, value


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
