"""A lakehouse of a benchmark's own: a temporary folder, wide rows, and the upkeep of it."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.decisions import START_MS, make_decisions
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.decisions import DecisionDecoder
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.position import Position
from sinks.lakehouse.schema import apply_to_table
from sinks.lakehouse.tables import DECISIONS
from sinks.lakehouse.upkeep.compaction import plan_compaction, rewrite_files
from sinks.lakehouse.upkeep.expiry import expire_snapshots
from sinks.lakehouse.upkeep.figures import TableFigures, read_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.table import Table

    from pipelines.settings import Settings

BLOCK_ROWS = 20_000
FOREVER = datetime(2200, 1, 1, tzinfo=UTC)
_MB = 1_000_000


@contextmanager
def own_lake(settings: Settings) -> Iterator[Settings]:
    """Settings of an empty lakehouse, deleted in the end."""
    with tempfile.TemporaryDirectory(prefix="fraudlake-bench-") as folder:
        lakehouse = dataclasses.replace(settings.lakehouse, catalog_uri="", warehouse="")
        stack = dataclasses.replace(settings.stack, home=Path(folder))
        yield dataclasses.replace(settings, stack=stack, lakehouse=lakehouse)


def decode_block(seed: int) -> pa.Table:
    """Decoded decisions, as wide as real ones."""
    records = Records()
    for at, value in enumerate(make_decisions(BLOCK_ROWS, cards=2000, seed=seed)):
        records.add(value=value, partition=0, offset=at, time_ms=START_MS)
    decoder = DecisionDecoder()
    try:
        return pa.concat_tables(decoder.decode(records).rows)
    finally:
        decoder.close()


@contextmanager
def open_decisions(settings: Settings, block: pa.Table) -> Iterator[Table]:
    """The table ``decisions``, with the features of ``block``."""
    features = dict.fromkeys((field.name for field in block.schema.field("features").type), "")
    with open_catalog(settings) as catalog:
        apply_to_table(catalog, settings.lakehouse, DECISIONS, features)
        yield catalog.load_table((settings.lakehouse.namespace, "decisions"))


def position_at(offset: int) -> Position:
    """Everything before ``offset`` is stored."""
    return Position(
        cluster_id="bench",
        topic_id="bench",
        topic="decisions",
        next_offsets={0: offset},
        dead_letters=0,
    )


def keep_up(table: Table, settings: Settings) -> None:
    """What `fraudlake lake compact` and `expire` do, on days of any age."""
    target = settings.lakehouse.target_file_mb * _MB
    for rewrite in plan_compaction(table, target_bytes=target, closed_before=FOREVER):
        rewrite_files(table, rewrite, target_bytes=target)
    lakehouse = settings.lakehouse
    expire_snapshots(table, keep=lakehouse.keep_snapshots, keep_hours=lakehouse.keep_snapshots_h)


def figures_of(table: Table, settings: Settings) -> TableFigures:
    """What `fraudlake lake stats` shows."""
    return read_figures(table, target_bytes=settings.lakehouse.target_file_mb * _MB)
