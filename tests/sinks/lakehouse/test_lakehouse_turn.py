"""Whose turn it is, seen by writers that were there before and come after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks

from pipelines.errors import SinkError
from sinks.lakehouse.iceberg import PreparedSnapshot, write_files
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.shaping import shape
from sinks.lakehouse.position import restore
from sinks.lakehouse.turn import is_handed_over, pass_to_flink, pass_to_sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table


def append_by_flink(table: Table, offset: int) -> None:
    (block,) = decision_blocks({}, offset=offset)
    files = write_files(table, shape(block, table, topic="decisions"))
    by_flink = {"flink.max-committed-checkpoint-id": "1"}
    PreparedSnapshot(table, add=files, summary=by_flink).commit()


def offsets_in(table: Table) -> list[int]:
    return sorted(table.scan().to_arrow().column("kafka_offset").to_pylist())


def test_a_sink_that_was_running_does_not_write_past_a_commit_of_flink(
    decisions_table: Callable[..., Table],
) -> None:
    """A job that was started without a hand-over, by hand."""
    running = Ledger(decisions_table())
    running.commit(decision_blocks({}), at(1))
    append_by_flink(decisions_table(), offset=1)

    with pytest.raises(SinkError, match=r"table fraud\.decisions is written by a Flink job"):
        running.commit(decision_blocks({}, offset=1), at(2))

    assert offsets_in(decisions_table()) == [0, 1]
    assert is_handed_over(decisions_table())


def test_from_the_hand_over_on_neither_a_running_nor_a_new_sink_writes(
    decisions_table: Callable[..., Table],
) -> None:
    running = Ledger(decisions_table())
    running.commit(decision_blocks({}), at(1))
    pass_to_flink(decisions_table(), at(1))

    with pytest.raises(SinkError, match="take-back"):
        running.commit(decision_blocks({}, offset=1), at(2))
    with pytest.raises(SinkError, match="take-back"):
        Ledger(decisions_table())

    append_by_flink(decisions_table(), offset=1)
    assert offsets_in(decisions_table()) == [0, 1]


def test_a_rollback_behind_the_hand_over_does_not_make_it_the_sinks_turn(
    decisions_table: Callable[..., Table],
) -> None:
    """The rows of the job are gone with it, the job is not."""
    Ledger(decisions_table()).commit(decision_blocks({}), at(1))
    before = decisions_table().current_snapshot()
    assert before is not None
    pass_to_flink(decisions_table(), at(1))
    append_by_flink(decisions_table(), offset=1)
    with decisions_table().manage_snapshots() as snapshots:
        snapshots.rollback_to_snapshot(before.snapshot_id)

    with pytest.raises(SinkError, match="take-back"):
        Ledger(decisions_table())


def test_a_table_that_was_taken_back_is_the_sinks_again(
    decisions_table: Callable[..., Table],
) -> None:
    Ledger(decisions_table()).commit(decision_blocks({}), at(1))
    pass_to_flink(decisions_table(), at(1))
    append_by_flink(decisions_table(), offset=1)

    pass_to_sink(decisions_table(), at(2))

    assert not is_handed_over(decisions_table())
    Ledger(decisions_table()).commit(decision_blocks({}, offset=2), at(3))
    assert offsets_in(decisions_table()) == [0, 1, 2]
    assert restore(decisions_table()) == at(3)


def test_a_table_that_was_never_handed_over_can_be_taken_back_from_a_job_that_came_anyway(
    decisions_table: Callable[..., Table],
) -> None:
    Ledger(decisions_table()).commit(decision_blocks({}), at(1))
    append_by_flink(decisions_table(), offset=1)

    pass_to_sink(decisions_table(), at(2))

    assert not is_handed_over(decisions_table())


def test_a_table_that_moved_meanwhile_is_not_passed_on(
    decisions_table: Callable[..., Table],
) -> None:
    Ledger(decisions_table()).commit(decision_blocks({}), at(1))
    seen = decisions_table()
    Ledger(decisions_table()).commit(decision_blocks({}, offset=1), at(2))

    with pytest.raises(SinkError, match=r"written to just now\. Stop the lakehouse sink"):
        pass_to_flink(seen, at(1))

    assert not is_handed_over(decisions_table())
