"""A day of small commits: what `fraudlake lake stats` shows of it before upkeep and after."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.lake.own_lake import (
    decode_block,
    figures_of,
    keep_up,
    open_decisions,
    own_lake,
    position_at,
)
from sinks.lakehouse.ingest.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings
    from sinks.lakehouse.upkeep.figures import TableFigures

COMMITS = 1440
"""One a minute."""
COMMIT_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfCommits:
    """One table without any upkeep for a day, and what one upkeep makes of it."""

    before: TableFigures
    after: TableFigures
    upkeep_s: float


def run_day_benchmark(settings: Settings, *, seed: int, say: Callable[[str], None]) -> DayOfCommits:
    """Needs no server; the table lies in a temporary folder."""
    rows = decode_block(seed).slice(0, COMMIT_ROWS)
    say(f"a day of small commits: {COMMITS:,} of {COMMIT_ROWS} rows, without upkeep")
    with own_lake(settings) as own, open_decisions(own, rows) as table:
        ledger = Ledger(table)
        for number in range(1, COMMITS + 1):
            ledger.commit([rows], position_at(number * COMMIT_ROWS))
        before = figures_of(ledger.table, own)
        say("upkeep")
        began = time.perf_counter()
        keep_up(ledger.table, own)
        took = time.perf_counter() - began
        after = figures_of(ledger.table.refresh(), own)
    return DayOfCommits(before=before, after=after, upkeep_s=took)
