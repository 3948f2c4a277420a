"""Counting offsets: a byte for each, of one stretch only."""

from __future__ import annotations

from sinks.reconciliation.counts import OffsetCounts


def seen(stretch: dict[int, range], *places: tuple[int, int]) -> OffsetCounts:
    counts = OffsetCounts(stretch)
    for place in places:
        counts.add(*place)
    return counts


def test_sightings_saturate_instead_of_starting_again_at_none() -> None:
    """The 256th sighting must not look like none."""
    counts = seen({3: range(1, 4)}, *[(3, 2)] * 300)
    assert (counts.count(3, 2), counts.count(3, 1), counts.count(4, 2)) == (255, 0, 0)
    assert (counts.distinct(), counts.total()) == (1, 255)
    assert counts.plus(counts).count(3, 2) == 255


def test_what_lies_outside_the_stretch_is_not_counted() -> None:
    stretch = {0: range(10, 12), 1: range(0)}
    counts = seen(stretch, (0, 9), (0, 10), (0, 11), (0, 12), (1, 0), (2, 10), (0, -1))
    assert (counts.distinct(), counts.total()) == (2, 2)
    assert [counts.includes(0, offset) for offset in (9, 10, 11, 12)] == [False, True, True, False]


def test_partitions_and_far_offsets_are_kept_apart() -> None:
    stretch = {0: range(5, 6), 1: range(1_000_000, 1_200_000)}
    counts = seen(stretch, (0, 5), (1, 1_000_000), (1, 1_199_999))
    other = seen(stretch, (1, 1_100_000))
    assert list(counts.differences(other)) == [
        (0, 5),
        (1, 1_000_000),
        (1, 1_100_000),
        (1, 1_199_999),
    ]


def test_seen_once_agrees_with_seen_more_often_before() -> None:
    """A decision there twice is named at its own step, not again at the table's."""
    stretch = {0: range(2)}
    twice = seen(stretch, (0, 0), (0, 0))
    assert list(twice.differences(seen(stretch, (0, 0)))) == []
    assert list(seen(stretch, (0, 0)).differences(twice)) == [(0, 0)]
