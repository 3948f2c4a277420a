"""What is lost and what is doubled around a change, and the gap; expected values by hand."""

from __future__ import annotations

from fraudlake.job.switch_report import longest_gap_s, lost_and_doubled
from sinks.reconciliation.counts import OffsetCounts

STRETCH = {0: range(10, 14), 1: range(5)}


def counts(*places: tuple[int, int]) -> OffsetCounts:
    found = OffsetCounts(STRETCH)
    for partition, offset in places:
        found.add(partition, offset)
    return found


def test_a_record_without_an_outcome_is_lost_and_one_with_two_is_doubled() -> None:
    transactions = counts((0, 10), (0, 11), (0, 13), (1, 2))
    found = counts((0, 10), (0, 10), (0, 13))
    assert lost_and_doubled(transactions, found) == (2, 1)


def test_what_lies_outside_the_stretch_and_offsets_without_a_record_do_not_count() -> None:
    transactions = counts((0, 10), (1, 0))
    found = counts((0, 10), (1, 0), (0, 9), (0, 14), (2, 0))
    assert lost_and_doubled(transactions, found) == (0, 0)


def test_the_gap_is_between_neighbours_in_time_whatever_their_order() -> None:
    assert longest_gap_s([1000, 9500, 2000, 3000]) == 6.5
    assert longest_gap_s([1000]) is None
    assert longest_gap_s([]) is None
