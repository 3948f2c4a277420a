"""What pyiceberg does behind our back, pinned: a new version that changes it must be read again."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import ParquetFormatWriter
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Summary, update_snapshot_summaries
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.table.update import AssertRefSnapshotId, update_table_metadata
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField

from pipelines.settings import LakehouseSettings
from sinks.lakehouse import iceberg
from sinks.lakehouse.iceberg import PreparedSnapshot, forget_snapshots, walk_back, write_files
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog import Catalog

DEADLINE_SECONDS = 20.0


@pytest.fixture
def open_table(catalog: Catalog) -> Callable[[], Table]:
    catalog.create_namespace_if_not_exists("n")
    rows = pa.schema([pa.field("offset", pa.int64())])
    return lambda: catalog.create_table_if_not_exists("n.numbers", rows)


def numbers(*values: int) -> pa.Table:
    return pa.table({"offset": pa.array(values, pa.int64())})


def stored(table: Table) -> list[int]:
    return sorted(table.refresh().scan().to_arrow().column("offset").to_pylist())


def test_a_plain_append_lands_on_top_of_a_commit_it_never_saw(
    open_table: Callable[[], Table],
) -> None:
    """The reason for ``PreparedSnapshot``: if this fails one day, that class may become simpler."""
    one, other = open_table(), open_table()
    one.append(numbers(1))
    other.append(numbers(1))

    assert stored(open_table()) == [1, 1]


def test_our_append_does_not(open_table: Callable[[], Table]) -> None:
    one, other = open_table(), open_table()
    PreparedSnapshot(one, add=write_files(one, numbers(1)), summary={"at": "1"}, tag="t").commit()

    with pytest.raises(CommitFailedException):
        PreparedSnapshot(other, add=write_files(other, numbers(1)), summary={}, tag="t").commit()

    assert stored(open_table()) == [1]


def test_pyiceberg_copies_all_metadata_at_each_look_and_we_do_not(
    open_table: Callable[[], Table],
) -> None:
    """The reason for the transaction of our own: if the first line fails, it may go."""
    plain = open_table().transaction()
    assert plain.table_metadata is not plain.table_metadata

    prepared = PreparedSnapshot(open_table(), add=[], summary={}, tag="t")
    assert prepared._transaction.table_metadata is prepared._transaction.table_metadata


def test_many_snapshots_are_forgotten_at_the_price_of_a_few_copies(
    open_table: Callable[[], Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy holds every snapshot: two for each one that goes is ten minutes for a day."""
    table = open_table()
    for value in range(6):
        table.append(numbers(value))
    *old, newest = [one.snapshot_id for one in table.snapshots()]
    copies = []
    monkeypatch.setattr(
        iceberg,
        "update_table_metadata",
        lambda *asked: copies.append(asked) or update_table_metadata(*asked),
    )

    forget_snapshots(table, old)

    assert [one.snapshot_id for one in open_table().snapshots()] == [newest]
    assert stored(table) == [0, 1, 2, 3, 4, 5]
    assert 0 < len(copies) <= 4


def test_a_snapshot_with_a_tag_is_not_forgotten_nor_any_other(
    open_table: Callable[[], Table],
) -> None:
    table = open_table()
    for value in range(3):
        table.append(numbers(value))
    first, second, _ = [one.snapshot_id for one in table.snapshots()]
    table.manage_snapshots().create_tag(second, "quarter-end").commit()

    with pytest.raises(ValueError, match="protected"):
        forget_snapshots(table, [first, second])

    assert len(open_table().snapshots()) == 3


def test_switching_retries_off_stays_in_memory(open_table: Callable[[], Table]) -> None:
    table = open_table()

    PreparedSnapshot(table, add=write_files(table, numbers(1)), summary={}, tag="t").commit()

    assert "commit.retry.num-retries" not in open_table().properties


def test_a_failed_append_keeps_its_files_so_that_the_same_ones_can_be_sent_again(
    open_table: Callable[[], Table],
) -> None:
    one, other = open_table(), open_table()
    PreparedSnapshot(one, add=write_files(one, numbers(1)), summary={}, tag="t").commit()
    files = write_files(other, numbers(2))
    failed = PreparedSnapshot(other, add=files, summary={}, tag="t")
    with pytest.raises(CommitFailedException):
        failed.commit()
    failed.discard()
    other.refresh()

    PreparedSnapshot(other, add=files, summary={}, tag="t").commit()

    assert stored(open_table()) == [1, 2]


def test_a_commit_whose_failure_was_a_mistake_is_still_whole(
    open_table: Callable[[], Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyiceberg would delete the manifests here, and with them the table."""
    table = open_table()
    append = PreparedSnapshot(table, add=write_files(table, numbers(1)), summary={}, tag="t")
    commit = Table._do_commit

    def land_and_deny(self: Table, *args: object, **kwargs: object) -> None:
        commit(self, *args, **kwargs)
        raise CommitFailedException("409 to a request that was sent twice")

    monkeypatch.setattr(Table, "_do_commit", land_and_deny)
    with pytest.raises(CommitFailedException):
        append.commit()

    table = open_table()
    assert stored(table) == [1]
    assert [one.snapshot_id for one in walk_back(table)] == [append.snapshot_id]


def test_summary_and_tag_come_with_the_rows(open_table: Callable[[], Table]) -> None:
    table = open_table()
    append = PreparedSnapshot(
        table, add=write_files(table, numbers(1)), summary={"at": "7"}, tag="ours"
    )
    append.commit()

    snapshot = open_table().snapshot_by_name("ours")

    assert snapshot is not None
    assert snapshot.snapshot_id == append.snapshot_id
    assert snapshot.summary is not None
    assert snapshot.summary.additional_properties["at"] == "7"


def test_old_metadata_files_and_manifests_do_not_pile_up(catalog: Catalog) -> None:
    table = create_table(catalog, LakehouseSettings(), DECISIONS)

    for at in range(30):
        PreparedSnapshot(table, add=[], summary={"at": str(at)}, tag="t").commit()

    folder = Path(table.location().removeprefix("file://")) / "metadata"
    assert len(list(folder.glob("*.metadata.json"))) <= 21


def test_of_two_requirements_of_one_kind_the_second_is_dropped(
    open_table: Callable[[], Table],
) -> None:
    """Why main is the fence and the tag is none: what is asked of the tag is never sent."""
    table = open_table()
    PreparedSnapshot(table, add=write_files(table, numbers(1)), summary={}, tag="t").commit()
    head = open_table().metadata.current_snapshot_id
    transaction = open_table().transaction()

    transaction._stage((), (AssertRefSnapshotId(ref="main", snapshot_id=head),))
    transaction._stage((), (AssertRefSnapshotId(ref="t", snapshot_id=head),))

    asked = [one for one in transaction._requirements if isinstance(one, AssertRefSnapshotId)]
    assert [one.ref for one in asked] == ["main"]


def test_an_expiry_deletes_no_files(open_table: Callable[[], Table]) -> None:
    """Why ``upkeep/expiry.py`` does."""
    table = open_table()
    table.append(numbers(1))
    table.overwrite(numbers(2))
    folder = Path(table.location().removeprefix("file://"))
    before = {path.name for path in folder.rglob("*.parquet")}
    lists = {path.name for path in folder.rglob("*.avro")}
    old = [one.snapshot_id for one in table.snapshots()][:-1]

    table.maintenance.expire_snapshots().by_ids(old).commit()

    assert len(open_table().snapshots()) == 1
    assert len(before) == 2
    assert {path.name for path in folder.rglob("*.parquet")} == before
    assert {path.name for path in folder.rglob("*.avro")} == lists


def test_a_replace_cannot_be_said() -> None:
    """Why a compaction is an overwrite in the history of a table."""
    with pytest.raises(ValueError, match=r"Operation not implemented: .*REPLACE"):
        update_snapshot_summaries(Summary(Operation.REPLACE))


def test_rows_are_written_as_they_come_whatever_the_sort_order(catalog: Catalog) -> None:
    """Why compaction sorts, and why it says of each file in which order it is."""
    catalog.create_namespace_if_not_exists("n")
    order = SortOrder(SortField(1, IdentityTransform()))
    schema = Schema(NestedField(1, "offset", LongType()))
    table = catalog.create_table("n.sorted", schema, sort_order=order)

    table.append(numbers(3, 1, 2))

    (task,) = table.scan().plan_files()
    assert table.scan().to_arrow().column("offset").to_pylist() == [3, 1, 2]
    assert table.sort_order().order_id != 0
    assert task.file.sort_order_id is None


def test_properties_come_and_go_with_a_snapshot(open_table: Callable[[], Table]) -> None:
    table = open_table()
    PreparedSnapshot(table, add=(), summary={}, properties={"whose": "theirs"}).commit()
    assert open_table().properties["whose"] == "theirs"

    seen = open_table()
    PreparedSnapshot(open_table(), add=(), summary={}, properties={"whose": None}).commit()

    assert "whose" not in open_table().properties
    with pytest.raises(CommitFailedException):
        PreparedSnapshot(seen, add=(), summary={}, properties={"whose": "ours"}).commit()


def test_files_that_cannot_all_be_written_are_none(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each day: the second finds no room, and another is slower than the look for files."""
    catalog.create_namespace_if_not_exists("n")
    schema = Schema(NestedField(1, "offset", LongType()))
    spec = PartitionSpec(PartitionField(1, 1000, IdentityTransform(), "part"))
    table = catalog.create_table("n.split", schema, partition_spec=spec)
    folder = Path(table.location().removeprefix("file://"))
    write, has_begun, has_failed = ParquetFormatWriter.write, threading.Event(), threading.Event()
    late: list[Path] = []

    def fill_the_disk(self: ParquetFormatWriter, rows: pa.Table) -> None:
        (value,) = rows.column("offset").to_pylist()
        if value == 0:
            assert has_begun.wait(DEADLINE_SECONDS)
            raise OSError("No space left on device")
        if value == 1:
            has_begun.set()
            assert has_failed.wait(DEADLINE_SECONDS)
        write(self, rows)
        if value == 1:
            late.extend(folder.rglob("*.parquet"))

    monkeypatch.setattr(ParquetFormatWriter, "write", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        write_files(table, numbers(*range(6)))

    has_failed.set()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not late or list(folder.rglob("*.parquet")):
        assert time.monotonic() < deadline, list(folder.rglob("*.parquet"))
        time.sleep(0.01)
