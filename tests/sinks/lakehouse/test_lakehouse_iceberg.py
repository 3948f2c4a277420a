"""What pyiceberg does behind our back, pinned: a new version that changes it must be read again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from pipelines.settings import LakehouseSettings
from sinks.lakehouse.iceberg import PreparedSnapshot, walk_back, write_files
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog import Catalog


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
