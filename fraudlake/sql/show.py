"""Answers, columns and ready questions on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sinks.lakehouse.query.lake import Answer, Lake, ListedColumn
    from sinks.lakehouse.questions import Question

_NARROWEST_COLUMN = 9


def show_answer(answer: Answer, *, limit: int) -> None:
    """As a table, or row by row where it is too wide for the screen."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

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


def show_slow(lake: Lake) -> None:
    """Which tables took a detour, on stderr: it explains why an answer took long."""
    from rich.console import Console

    for name in lake.take_slow():
        why = "another engine has deleted rows of it by delete files, or imported files without ids"
        text = f"{name} is read by pyiceberg, which is slower: {why}"
        Console(stderr=True).print(text, style="dim", highlight=False, soft_wrap=True)


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


def show_columns(listed: Sequence[ListedColumn], *, as_json: bool) -> None:
    """Views and their columns, with what they mean."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if as_json:
        Console().print_json(data=[asdict(column) for column in listed])
        return
    table = Table()
    for name in ("table", "column", "type", "meaning"):
        table.add_column(name, overflow="fold")
    shown = ""
    for column in listed:
        if shown not in ("", column.view):
            table.add_section()
        first = "" if column.view == shown else f"[bold]{escape(column.view)}[/bold]"
        table.add_row(first, escape(column.name), escape(column.type), escape(column.about))
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


def show_questions(questions: Sequence[Question], *, as_json: bool) -> None:
    """The ready questions: name, purpose, and what can be set."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, emoji=False)
    if as_json:
        console.print_json(data=[asdict(question) for question in questions])
        return
    for question in questions:
        console.print(f"[bold]{question.name}[/bold]  {escape(question.purpose)}", soft_wrap=True)
        for one in question.parameters:
            default = "must be given" if one.default is None else f"else {one.default}"
            console.print(f"    {one.name} ({default})  {escape(one.about)}", style="dim")
