"""The sweep takes what killed writers left, and nothing that a snapshot or a writer may need."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from stored_table import files_under, rows_of

from sinks.lakehouse.iceberg import write_files
from sinks.lakehouse.upkeep import sweep
from sinks.lakehouse.upkeep.sweep import sweep_strays

if TYPE_CHECKING:
    import pytest
    from pyiceberg.table import Table

Open = Callable[[], "Table"]
Store = Callable[..., None]
DAY = timedelta(days=1)


def make_old(table: Table, *, days: float) -> None:
    folder = Path(table.location().removeprefix("file://"))
    at = time.time() - days * 86_400
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (at, at))


def leave_stray(table: Table) -> str:
    """A data file of a writer that was killed before it could commit."""
    (file,) = write_files(table, table.scan().to_arrow())
    return str(file.file_path)


def test_strays_go_and_everything_that_a_snapshot_needs_stays(
    open_table: Open, store: Store
) -> None:
    store({}), store({})
    before = files_under(open_table())
    stray = leave_stray(open_table())
    make_old(open_table(), days=2)

    swept = sweep_strays(open_table(), older_than=DAY, dry_run=False)

    assert swept.stray == (stray,)
    assert (swept.files, swept.young) == (len(before) + 1, 0)
    assert files_under(open_table()) == before
    assert len(rows_of(open_table())) == 2


def test_a_young_stray_may_be_about_to_be_committed_and_stays(
    open_table: Open, store: Store
) -> None:
    store({})
    leave_stray(open_table())
    before = files_under(open_table())

    swept = sweep_strays(open_table(), older_than=DAY, dry_run=False)

    assert (swept.stray, swept.young) == ((), 1)
    assert files_under(open_table()) == before


def test_a_dry_run_names_the_strays_and_their_size_and_keeps_them(
    open_table: Open, store: Store
) -> None:
    store({})
    stray = leave_stray(open_table())
    make_old(open_table(), days=2)
    before = files_under(open_table())

    swept = sweep_strays(open_table(), older_than=DAY, dry_run=True)

    assert swept.stray == (stray,)
    assert swept.stray_bytes == Path(stray.removeprefix("file://")).stat().st_size
    assert files_under(open_table()) == before


def test_a_file_that_is_committed_while_the_sweep_looks_is_not_taken(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({})
    table = open_table()
    list_files = sweep._list_files

    def list_then_commit(one: Table) -> object:
        store({"transaction_id": "just-in-time"})
        make_old(one, days=2)
        return list_files(one)

    monkeypatch.setattr(sweep, "_list_files", list_then_commit)
    swept = sweep_strays(table, older_than=DAY, dry_run=False)

    assert swept.stray == ()
    assert len(rows_of(open_table())) == 2


def test_what_is_no_file_of_iceberg_is_not_ours_to_delete(open_table: Open, store: Store) -> None:
    store({})
    folder = Path(open_table().location().removeprefix("file://"))
    (folder / "metadata" / "version-hint.text").write_text("1")
    (folder / "notes.csv").write_text("a,b")
    make_old(open_table(), days=2)

    assert sweep_strays(open_table(), older_than=DAY, dry_run=False).stray == ()
    assert {"metadata/version-hint.text", "notes.csv"} < files_under(open_table())


def test_old_metadata_files_that_the_table_still_lists_stay(open_table: Open, store: Store) -> None:
    for _ in range(3):
        store({})
    before = files_under(open_table())
    make_old(open_table(), days=2)

    sweep_strays(open_table(), older_than=DAY, dry_run=False)

    assert files_under(open_table()) == before
    assert isinstance(open_table().scan().to_arrow(), pa.Table)
