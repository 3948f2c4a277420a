"""Stores 48 records of a megabyte each, and prints how much memory that took: ``FOLDER``."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from decision_records import TRANSACTION, at, decision_value, decisions_table

from pipelines.settings import Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.decisions import DecisionDecoder
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.loader import Cadence, Letters, Loader

if TYPE_CHECKING:
    from sinks.lakehouse.ingest.records import Records
    from sinks.lakehouse.position import Position

RECORDS = 48
SIZE = 1_000_000


class WideTopic:
    """Records whose JSON takes up far more room than its text."""

    def __init__(self) -> None:
        self._next = 0

    def read(self, records: Records, *, count: int, size: int, seconds: float) -> int:
        end, before = records.size_bytes + size, len(records)
        while self._next < RECORDS and records.size_bytes < end:
            value = decision_value(f"{json.dumps(TRANSACTION)[:-1]},{wide_member(self._next)}}}")
            records.add(value=value, partition=0, offset=self._next, time_ms=0)
            self._next += 1
        return len(records) - before

    def grow(self) -> None:
        """Nothing grows."""

    def verify(self) -> None:
        """It is the same."""

    def position(self, *, dead_letters: int) -> Position:
        return at(self._next, dead_letters=dead_letters)

    def show_lag(self) -> None:
        """Nobody looks."""


def wide_member(number: int) -> str:
    if number % 2:
        return '"x":[' + ",".join(["1"] * (SIZE // 2)) + "]"
    return '"x":{' + ",".join(['"a":1'] * (SIZE // 6)) + "}"


def main() -> None:
    """One line: rows stored, and the most memory in use, in MB."""
    settings = dataclasses.replace(Settings(), stack=StackSettings(home=Path(sys.argv[1])))
    with open_catalog(settings) as catalog:
        table = decisions_table(catalog)
        loader = Loader(
            name="decisions",
            topic="decisions",
            source=WideTopic(),
            decode=DecisionDecoder().decode,
            ledger=Ledger(table),
            letters=cast("Letters", None),  # none is refused
            cadence=Cadence.of(settings.lakehouse),
            clock=time.monotonic,
            now_ms=lambda: 0,
        )
        while loader.step(seconds=0):
            pass
        loader.finish()
        rows = table.refresh().scan(selected_fields=("kafka_offset",)).to_arrow().num_rows
    print(rows, _peak_mb())


def _peak_mb() -> int:
    """Not getrusage: that begins with what the process had that started this one."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 // 1_000_000


if __name__ == "__main__":
    main()
