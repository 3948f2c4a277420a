"""The figures of tables on a terminal, as they are or before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.lakehouse.upkeep.figures import TableFigures
    from sinks.lakehouse.upkeep.round import UpkeepReport

# Lines, not columns: the tables before and after fit a terminal of 80 columns.
LINES = {
    "rows": "rows",
    "partitions": "partitions",
    "files": "files",
    "small_files": "  small",
    "unsorted_files": "  unsorted",
    "bytes": "MB",
    "snapshots": "snapshots",
    "manifests": "manifests",
    "metadata_bytes": "metadata, kB",
}
_UNITS = {"bytes": 1e6, "metadata_bytes": 1e3}


def show_figures(figures: Sequence[TableFigures]) -> None:
    """A column for each table."""
    _show(
        [one.table for one in figures],
        {line: [_number(one, name) for one in figures] for name, line in LINES.items()},
    )


def show_change(report: UpkeepReport) -> None:
    """A column for each table: before → after, or one number where they are the same."""
    show_pairs(list(zip(report.before, report.after, strict=True)))


def show_pairs(pairs: Sequence[tuple[TableFigures, TableFigures]]) -> None:
    """As ``show_change``, of any states before and after."""
    _show(
        [before.table for before, _ in pairs],
        {line: [_changed(*pair, name) for pair in pairs] for name, line in LINES.items()},
    )


def _show(heads: Sequence[str], lines: dict[str, list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("", no_wrap=True)
    for head in heads:
        shown.add_column(head, justify="right", no_wrap=True)
    for line, cells in lines.items():
        shown.add_row(line, *cells)
    Console().print(shown)


def _changed(before: TableFigures, after: TableFigures, name: str) -> str:
    old, new = _number(before, name), _number(after, name)
    return new if old == new else f"{old} → [bold]{new}[/bold]"


def _number(figures: TableFigures, name: str) -> str:
    value = getattr(figures, name)
    return f"{value / _UNITS[name]:,.1f}" if name in _UNITS else f"{value:,}"
