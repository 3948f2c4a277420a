"""What ``fraudlake sql`` can do, and which of its options mean something to which of that.

What an option would not change is refused by the command, never ignored.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sinks.lakehouse.query.lake import Lake


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """One thing that the command does, and the options that mean something to it."""

    name: str
    takes: frozenset[str]
    do: Callable[[Asked], None]


def _list_questions(asked: Asked) -> None:
    from fraudlake.sql.show import show_questions
    from sinks.lakehouse.questions import ready_questions

    _check_listing(asked)
    show_questions(ready_questions(), as_json=asked.output_format is Format.JSON)


def _list_columns(asked: Asked) -> None:
    from fraudlake.sql.show import show_columns
    from pipelines.settings import Settings
    from sinks.lakehouse.query.opening import open_lake

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
MODES = {
    mode.name: mode
    for mode in (
        Mode(name="--list", takes=frozenset({"output_format"}), do=_list_questions),
        Mode(name="--columns", takes=frozenset({"output_format", "as_of"}), do=_list_columns),
        Mode(name="--show", takes=frozenset({"run"}), do=_show_ready),
        Mode(name="--explain", takes=_QUESTION, do=_explain),
        Mode(name="the prompt", takes=frozenset({"as_of", "known_at"}), do=_prompt),
        Mode(name="--format table", takes=_QUESTION | {"output_format", "rows"}, do=_answer),
        Mode(name="--format csv", takes=_FILE, do=_write),
        Mode(name="--format json", takes=_FILE, do=_write),
        Mode(name="--format parquet", takes=_FILE, do=_write),
    )
}


def _ask(asked: Asked, do: Callable[[Lake, str, dict[str, Any]], None]) -> None:
    """``do`` with the open lakehouse, the SQL, and the values that are bound to its names."""
    from fraudlake.sql.show import show_slow
    from pipelines.settings import Settings
    from sinks.lakehouse.query.opening import open_lake

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
    if asked.file is not None:
        return asked.file.read_text(encoding="utf-8"), {}
    assert asked.query is not None  # else it was read from standard input
    return asked.query, {}


def _split(pair: str) -> tuple[str, str]:
    name, is_given, value = pair.partition("=")
    if not is_given:
        msg = f"{pair!r} is not NAME=VALUE"
        raise typer.BadParameter(msg, param_hint="--set")
    return name, value
