"""What commits cost when there were many, and what questions cost before and after compaction.

The rows are a block of decoded decisions over and over, with other cards, ids and times: so they
are as wide as real ones, and ten million are there in minutes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.decisions import START_MS
from bench.lake.own_lake import (
    decode_block,
    figures_of,
    keep_up,
    open_decisions,
    own_lake,
    position_at,
)
from sinks.lakehouse.catalog import find_catalog, open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings
    from sinks.lakehouse.upkeep.figures import TableFigures

FILE_ROWS = 40_000
DAYS = 30
DAY_US = 86_400_000_000
UPKEEP_EVERY = 50
COMMIT_ROWS = 500
TRIES = 3
QUESTIONS = {
    "one card": "select event_time, merchant_id, base_amount, band, rules_fired, "
    "features.travel_kmh from decisions where card_id = '{card}' order by event_time",
    "group by": "select merchant_category, band, count(*), sum(base_amount), "
    "avg(features.card_sum_24h) from decisions group by all order by 3 desc",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitCost:
    """Processor time of a commit of the sink, median of fifty, with upkeep between them."""

    commits: int
    first_ms: float
    last_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutCost:
    """One state of the files: the figures, and the best of three of each question."""

    figures: TableFigures
    opening_ms: float
    """To plan which files to read, once for a session."""
    answers_ms: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBenchmark:
    """Commits, and a table as the sink leaves it and after compaction."""

    commit: CommitCost
    small_files: LayoutCost
    compacted: LayoutCost
    compaction_s: float


def run_table_benchmark(
    settings: Settings, *, rows: int, commits: int, seed: int, say: Callable[[str], None]
) -> TableBenchmark:
    """Needs no server; the tables lie in a temporary folder."""
    block = decode_block(seed)
    with own_lake(settings) as own:
        say(f"{commits:,} commits of {COMMIT_ROWS} rows, upkeep after each {UPKEEP_EVERY}")
        commit = _commit_often(own, block, commits)
    with own_lake(settings) as own:
        say(f"writing {rows:,} decisions of {DAYS} days in files of {FILE_ROWS:,}")
        cards = rows // 100
        _fill(own, block, rows, cards=cards, seed=seed)
        card = f"c-{cards // 2}"
        say("asking")
        small = _ask(own, card)
        say("compacting")
        began = time.perf_counter()
        _compact(own)
        took = time.perf_counter() - began
        say("asking again")
        compacted = _ask(own, card)
    return TableBenchmark(commit=commit, small_files=small, compacted=compacted, compaction_s=took)


def _commit_often(settings: Settings, block: pa.Table, commits: int) -> CommitCost:
    rows = block.slice(0, COMMIT_ROWS)
    times = []
    with open_decisions(settings, block) as table:
        ledger = Ledger(table)
        for number in range(1, commits + 1):
            began = time.process_time()
            ledger.commit([rows], position_at(number * COMMIT_ROWS))
            times.append((time.process_time() - began) * 1000)
            if number % UPKEEP_EVERY == 0:
                keep_up(ledger.table, settings)
    return CommitCost(
        commits=commits,
        first_ms=median(times[:UPKEEP_EVERY]),
        last_ms=median(times[-UPKEEP_EVERY:]),
    )


def _fill(settings: Settings, block: pa.Table, rows: int, *, cards: int, seed: int) -> None:
    """As the sink does: each commit holds the next moments of time."""
    rng = Random(f"{seed}/cards")
    with open_decisions(settings, block) as table:
        ledger = Ledger(table)
        for first in range(0, rows, FILE_ROWS):
            count = min(FILE_ROWS, rows - first)
            copies = -(-count // block.num_rows)
            piece = pa.concat_tables([block] * copies).slice(0, count)
            step = DAYS * DAY_US // rows
            times = [START_MS * 1000 + (first + at) * step for at in range(count)]
            names = [f"c-{rng.randrange(cards)}" for _ in range(count)]
            ids = [f"t-{first + at:012d}" for at in range(count)]
            offsets = range(first, first + count)
            piece = _with(piece, "event_time", pa.array(times, pa.timestamp("us", "UTC")))
            piece = _with(piece, "card_id", pa.array(names))
            piece = _with(piece, "transaction_id", pa.array(ids))
            piece = _with(piece, "kafka_offset", pa.array(offsets, pa.int64()))
            ledger.commit([piece], position_at(first + count))


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, rows.schema.field(at), values.cast(rows.schema.field(at).type))


def _compact(settings: Settings) -> None:
    with open_catalog(settings) as catalog:
        keep_up(catalog.load_table((settings.lakehouse.namespace, "decisions")), settings)


def _ask(settings: Settings, card: str) -> LayoutCost:
    with find_catalog(settings) as catalog:
        assert catalog is not None
        table = catalog.load_table((settings.lakehouse.namespace, "decisions"))
        figures = figures_of(table, settings)
    began = time.perf_counter()
    with open_lake(settings) as lake:
        opening = (time.perf_counter() - began) * 1000
        answers = {}
        for name, question in QUESTIONS.items():
            times = []
            for _ in range(TRIES):
                began = time.perf_counter()
                answer = lake.ask(question.format(card=card), limit=1000)
                times.append((time.perf_counter() - began) * 1000)
                assert answer.rows, f"no rows for {name}"
            answers[name] = min(times)
    return LayoutCost(figures=figures, opening_ms=opening, answers_ms=answers)
