"""A lakehouse sink that dies at random around its commits: ``doomed_sink.py KIND SEED LOG``.

KIND ``ours`` is the sink as it is. ``naive`` keeps its offsets in the snapshot too, but appends as
pyiceberg does by default, which tries again on top of whoever came first. What befell it goes to
LOG, a line each.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import SinkError, TransientError
from pipelines.settings import Settings
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.ingest import run as sink
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.shaping import shape
from sinks.lakehouse.position import SUMMARY_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.lakehouse.position import Position

DIES = 0.15
"""Before a commit, and as likely behind it."""
HESITATES = 0.3
LONGEST_PAUSE_S = 0.3


def main() -> None:
    """Run until killed, by itself or by whoever started it."""
    kind, seed, log = sys.argv[1:]
    rng = Random(seed)
    if kind == "naive":
        Ledger.commit = _append_as_by_default  # type: ignore[method-assign]
    else:
        _doom(rng, Path(log))
    settings = Settings.from_env()
    while True:
        try:
            sink.run(settings, stop=threading.Event())
        except SinkError:
            _note(Path(log), "fenced")


def _doom(rng: Random, log: Path) -> None:
    land = PreparedSnapshot.commit

    def commit(self: PreparedSnapshot) -> None:
        if rng.random() < HESITATES:
            time.sleep(rng.uniform(0, LONGEST_PAUSE_S))  # somebody else may come first
        if rng.random() < DIES:
            _die(log, "killed before")
        land(self)
        if rng.random() < DIES:
            _die(log, "killed behind")

    PreparedSnapshot.commit = commit  # type: ignore[method-assign]
    fits = Ledger.check

    def check(self: Ledger, blocks: Sequence[pa.Table]) -> None:
        try:
            fits(self, blocks)
        except TransientError:
            _note(log, "waited")
            raise

    Ledger.check = check  # type: ignore[method-assign]


def _append_as_by_default(self: Ledger, blocks: Sequence[pa.Table], position: Position) -> None:
    rows = pa.concat_tables([shape(block, self.table, topic=position.topic) for block in blocks])
    self.table.append(rows, snapshot_properties={SUMMARY_KEY: position.to_json()})
    self.position = position


def _die(log: Path, how: str) -> None:
    _note(log, how)
    os.kill(os.getpid(), signal.SIGKILL)


def _note(log: Path, what: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")


if __name__ == "__main__":
    main()
