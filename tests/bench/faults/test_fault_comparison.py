"""The comparison finds what is missing, there twice or different, and says what explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from job_records import ALERT_ID, alert, decision, letter

from bench.faults.comparison import Difference, explain, find_difference, judge_side
from bench.faults.outcomes import Outcomes, read_decision, read_letter, read_revision
from pipelines.kafka import OffsetRange

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDER = frozenset({"merchant_count_1h"})
MOVED = '"card_count_1h":3,"merchant_count_1h":9'
OTHER = '"card_count_1h":4,"merchant_count_1h":8'
HELD = {0: OffsetRange(start=10, end=14)}
"""Offsets 10 to 13; the first ones have left the topic already."""
WHOLE = tuple(decision(offset) for offset in (10, 11, 12))
LETTERS = (letter(13),)


def outcomes(
    decisions: Sequence[bytes] = WHOLE,
    letters: Sequence[bytes] = LETTERS,
    alerts: Sequence[bytes] = (),
) -> Outcomes:
    found = Outcomes(input_topic="transactions", held=HELD)
    for value in decisions:
        found.add_decision(read_decision(b"c1", value))
    for value in letters:
        found.add_letter(read_letter(b"c1", value))
    for value in alerts:
        found.add_revision(read_revision(b"c1", value))
    return found


def compare(ours: Outcomes, theirs: Outcomes, pairs: Sequence[tuple[bytes, bytes]] = ()):
    found = {read_decision(b"c1", one).place: find_difference(one, other) for one, other in pairs}
    return explain(ours, theirs, found, order_features=ORDER)


@pytest.mark.parametrize(
    ("decisions", "letters", "missing", "doubled", "first"),
    [
        (WHOLE, LETTERS, 0, 0, ()),
        (WHOLE[:2], LETTERS, 1, 0, ("missing 0:12",)),
        (WHOLE, (), 1, 0, ("missing 0:13",)),
        ((*WHOLE, WHOLE[1]), LETTERS, 0, 1, ("twice 0:11",)),
        (WHOLE, (*LETTERS, letter(10)), 0, 1, ("twice 0:10",)),  # decided and refused
        ((WHOLE[0], WHOLE[0], WHOLE[2]), LETTERS, 1, 1, ("missing 0:11", "twice 0:10")),
    ],
)
def test_each_record_of_the_input_ends_once(
    decisions: Sequence[bytes],
    letters: Sequence[bytes],
    missing: int,
    doubled: int,
    first: tuple[str, ...],
) -> None:
    side = judge_side(outcomes(decisions, letters))
    assert (side.missing, side.doubled, side.first) == (missing, doubled, first)
    assert side.is_well is (missing + doubled == 0)


@pytest.mark.parametrize(
    "stranger", [decision(14), decision(9), decision(10, partition=3), decision(10, topic="old")]
)
def test_an_outcome_of_no_record_of_the_input_is_named(stranger: bytes) -> None:
    side = judge_side(outcomes((*WHOLE, stranger)))
    assert (side.strangers, side.is_well, side.missing, side.doubled) == (1, False, 0, 0)


def test_an_alert_that_is_there_twice_is_named() -> None:
    revision = alert(1, WHOLE[0])
    side = judge_side(outcomes(alerts=(revision, alert(2, WHOLE[1]), revision)))
    assert (side.alerts, side.doubled_alerts, side.is_well) == (2, 1, False)
    assert side.first == (f"alert twice {ALERT_ID}#1",)


def test_the_clock_alone_is_no_difference() -> None:
    late = tuple(decision(offset, decided_at="2026-04-01T00:00:00Z") for offset in (12, 11, 10))
    found = compare(
        outcomes(alerts=(alert(1, WHOLE[0]),)), outcomes(late, alerts=(alert(1, late[2]),))
    )
    assert (found.records, found.alerts, found.is_well) == (0, 0, True)


def test_a_changed_decision_is_found_and_named_with_its_members() -> None:
    changed = decision(11, features=OTHER, score=0.7)
    found = compare(outcomes(), outcomes((WHOLE[0], changed, WHOLE[2])), [(WHOLE[1], changed)])
    assert (found.records, found.explained, found.is_well) == (1, 0, False)
    assert found.first == ("0:11 in score, features.card_count_1h",)
    assert found.members == {"score": 1, "features.card_count_1h": 1}


def test_a_decision_that_became_a_dead_letter_is_never_explained() -> None:
    found = compare(outcomes(), outcomes(WHOLE[:2], (*LETTERS, letter(12))))
    assert (found.records, found.is_well) == (1, False)


def test_a_dead_letter_in_other_words_is_counted_and_is_no_difference() -> None:
    found = compare(outcomes(), outcomes(letters=(letter(13, detail="one of [b, a]"),)))
    assert (found.reworded, found.records, found.is_well) == (1, 0, True)
    assert compare(outcomes(), outcomes()).reworded == 0


def test_a_feature_across_cards_explains_itself_and_what_follows_from_it() -> None:
    moved = decision(11, features=MOVED, score=0.9)
    found = compare(outcomes(), outcomes((WHOLE[0], moved, WHOLE[2])), [(WHOLE[1], moved)])
    assert (found.records, found.explained, found.is_well) == (1, 1, True)
    assert found.members == {"score": 1, "features.merchant_count_1h": 1}


@pytest.mark.parametrize(("card", "is_explained"), [("c1", True), ("c2", False)])
def test_an_alert_that_moved_is_explained_by_what_came_before_on_its_card(
    card: str, is_explained: bool
) -> None:
    first = (decision(10), decision(10, features=MOVED))
    later = (decision(11, card=card), decision(11, card=card, alert_id=ALERT_ID))
    one = outcomes((first[0], later[0], WHOLE[2]))
    other = outcomes((first[1], later[1], WHOLE[2]), alerts=(alert(1, later[1], card=card),))
    found = compare(one, other, [first, later])
    assert (found.records, found.explained) == (2, 2 if is_explained else 1)
    assert (found.alerts, found.explained_alerts) == (1, 1 if is_explained else 0)
    assert found.is_well is is_explained


def test_a_score_that_differs_without_a_cause_is_not_explained() -> None:
    changed = decision(12, score=0.6)
    found = compare(outcomes(), outcomes((*WHOLE[:2], changed)), [(WHOLE[2], changed)])
    assert (found.explained, found.first) == (0, ("0:12 in score",))


def test_an_alert_that_only_one_job_raised_is_a_difference() -> None:
    found = compare(outcomes(alerts=(alert(1, WHOLE[0]),)), outcomes())
    assert (found.alerts, found.explained_alerts, found.is_well) == (1, 0, False)
    assert found.first == (f"alert {ALERT_ID}#1",)


def test_values_that_are_equal_in_other_bytes_are_a_difference() -> None:
    other = WHOLE[0].replace(b'"score":0.5', b'"score":0.50')
    found = compare(outcomes(), outcomes((other, *WHOLE[1:])), [(WHOLE[0], other)])
    assert (found.first, found.is_well) == (("0:10 in bytes",), False)


def test_members_that_only_one_decision_has_differ() -> None:
    one, other = b'{"transaction":{"card_id":"c"},"a":null}', b'{"transaction":{"card_id":"c"}}'
    assert find_difference(one, other) == Difference("c", ("a",))
