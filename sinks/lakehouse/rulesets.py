"""The table ``rulesets``: each version of a rule set that came into use here, in one row.

The lakehouse sink does not write it: whoever publishes or deploys does, and several may at once.

1. What is kept here and the table lacks is found out in one state of the table.
2. It becomes a data file, once for the same rows.
3. One commit, which lands only on that very state, and never with automatic retries: where
   somebody was faster it fails, rather than store a version again.
4. Where it failed or its answer was lost, the table is read again: our snapshot is there, or 1
   finds out what is left to do.

A commit that may land late asks for the state of 1, too: it is found there, or it can land no more.
What a crash between 2 and 3 leaves, the sweep takes.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError

from pipelines.errors import SinkError, TransientError
from pipelines.kept_rules import read_kept
from sinks.lakehouse.catalog import find_catalog, open_catalog
from sinks.lakehouse.iceberg import (
    REFUSED,
    UNSURE,
    PreparedSnapshot,
    delete_files,
    walk_back,
    write_files,
)
from sinks.lakehouse.ingest.shaping import shape
from sinks.lakehouse.position import count_rows
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import RULESETS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

    from pipelines.kept_rules import KeptRuleset
    from pipelines.settings import Settings

ATTEMPTS = 10
PAUSE_SECONDS = 0.2
SUMMARY_KEY = "fraudlake.rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording has done."""

    added: tuple[str, ...]
    """The versions that the table lacked."""
    kept: int
    """The versions that are kept here; all of them are in the table now."""
    rows: int
    """Of the table: other stacks may write it, too."""


def record_rulesets(settings: Settings, *, now: datetime) -> Recorded:
    """See that the table has every version that is kept here, each once; make it if need be.

    Where nothing is missing, nothing is written. RulesetError if what is kept cannot be read,
    TransientError if the catalog or the warehouse cannot be used, SinkError if another tool has
    made the table unfit. What was not recorded is by the next call.
    """
    kept = {one.version: one for one in read_kept(settings)}
    # Nothing to record makes no catalog.
    with open_catalog(settings) if kept else find_catalog(settings) as catalog:
        if catalog is None:
            return Recorded(added=(), kept=0, rows=0)
        with explained(settings):
            table = create_table(catalog, settings.lakehouse, RULESETS)
            try:
                return _Recording(table, kept, now).run()
            except NoSuchTableError as error:
                msg = f"table {'.'.join(table.name())} was dropped just now: record once more"
                raise SinkError(msg) from error


@dataclass(slots=True)
class _Recording:
    table: Table
    kept: Mapping[str, KeptRuleset]
    now: datetime
    missing: tuple[str, ...] = ()
    """What the files hold."""
    files: list[DataFile] = field(default_factory=list)
    tried: set[int] = field(default_factory=set)
    """Snapshots of ours that may be in the table, or come into it yet."""

    def run(self) -> Recorded:
        has_landed = False
        try:
            for attempt in range(ATTEMPTS):
                # 1.
                missing = self._find_missing()
                if missing:
                    # 2.
                    self._write(missing)
                    # 3.
                    has_landed = self._try_to_land(attempt)
                if has_landed or not missing:
                    return Recorded(
                        added=self.missing if has_landed else (),
                        kept=len(self.kept),
                        rows=count_rows(self.table),
                    )
        finally:
            if not has_landed and not self.tried:
                self._drop_files()
        msg = f"table {'.'.join(self.table.name())} took no commit in {ATTEMPTS} attempts"
        raise TransientError(msg)

    def _find_missing(self) -> tuple[str, ...]:
        try:
            stored = self.table.scan(selected_fields=("ruleset",)).to_arrow()
        except ValueError as error:  # a column that is gone, rows that were deleted by value
            msg = (
                f"table {'.'.join(self.table.name())} cannot be read: {error}. Another tool has "
                "changed it; `fraudlake lake diff` names columns that are gone"
            )
            raise SinkError(msg) from error
        return tuple(sorted(self.kept.keys() - set(stored["ruleset"].to_pylist())))

    def _write(self, missing: tuple[str, ...]) -> None:
        if missing == self.missing:
            return
        self._drop_files()
        rows = [_to_row(self.kept[version], self.now) for version in missing]
        block = pa.Table.from_pylist(rows, schema=RULESETS.arrow_schema())
        self.files = write_files(self.table, shape(block, self.table, topic=""))
        self.missing = missing

    def _drop_files(self) -> None:
        """What was written for a state of the table that is no more can land no more."""
        delete_files(self.table, [file.file_path for file in self.files])
        self.files, self.missing = [], ()

    def _try_to_land(self, attempt: int) -> bool:
        snapshot = PreparedSnapshot(self.table, add=self.files, summary={SUMMARY_KEY: "recorded"})
        self.tried.add(snapshot.snapshot_id)
        try:
            snapshot.commit()
        except UNSURE as error:
            # 4.
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            self.table.refresh()
            if any(one.snapshot_id in self.tried for one in walk_back(self.table)):
                return True
            if isinstance(error, REFUSED):
                self.tried.remove(snapshot.snapshot_id)
                snapshot.discard()
            return False
        return True


def _to_row(one: KeptRuleset, now: datetime) -> dict[str, Any]:
    arrival = one.arrival
    return {
        "ruleset": one.version,
        "id": one.id,
        "hash": one.hash,
        "description": one.description,
        "combine": one.combine,
        "review_at": one.review_at,
        "block_at": one.block_at,
        "rules": [asdict(rule) for rule in one.rules],
        "text": one.text,
        "published_at": one.arrived_at,
        "origin": None if arrival is None else arrival.origin,
        "source": None if arrival is None else arrival.source,
        "recorded_at": now,
    }
