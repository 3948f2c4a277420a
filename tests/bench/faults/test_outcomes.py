"""What a job wrote, as digests: only the clock's own members do not count."""

from __future__ import annotations

import pytest
from job_records import ALERT_ID, CARD, alert, decision, letter

from bench.faults.outcomes import (
    AlertKey,
    Place,
    UnreadableOutcome,
    read_decision,
    read_letter,
    read_revision,
)

LATER = "2026-03-01T12:00:07.1Z"


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (decision(7, decided_at=LATER), True),
        (decision(7, score=0.6), False),
        (decision(7, features='"card_count_1h":4,"merchant_count_1h":8'), False),
        (decision(7, alert_id=ALERT_ID), False),
        (decision(8), False),
        (decision(7).replace(b'"score":0.5', b'"score":0.50'), False),  # bytes, not values
    ],
)
def test_a_decision_is_the_same_but_for_its_clock(other: bytes, is_same: bool) -> None:
    ours, theirs = read_decision(CARD, decision(7)), read_decision(CARD, other)
    assert (ours.digest == theirs.digest) is is_same


def test_the_key_counts() -> None:
    ours, theirs = read_decision(b"c1", decision(7)), read_decision(b"c2", decision(7))
    assert ours.digest != theirs.digest


def test_the_place_is_the_job_s_and_not_one_that_a_sender_wrote_into_a_transaction() -> None:
    forged = decision(3, partition=2)[1:-1].decode().replace('"', '\\"')
    found = read_decision(CARD, decision(7, partition=1, note=forged))
    assert (found.topic, found.place) == ("transactions", Place(1, 7))
    other = read_decision(CARD, decision(7, partition=1, note=forged.replace("12:00", "13:00")))
    assert found.digest != other.digest


def test_an_alert_is_known_by_its_id_and_sequence_and_is_the_same_but_for_the_clock() -> None:
    one = read_revision(CARD, alert(2, decision(7, alert_id=ALERT_ID)))
    late = read_revision(CARD, alert(2, decision(7, alert_id=ALERT_ID, decided_at=LATER)))
    other = read_revision(CARD, alert(2, decision(8, alert_id=ALERT_ID)))
    assert (one.key, one.card_id) == (AlertKey(ALERT_ID, 2), "c1")
    assert one.digest == late.digest != other.digest


def test_a_dead_letter_is_the_same_but_for_the_clock_and_its_sentence() -> None:
    one, late = read_letter(CARD, letter(7)), read_letter(CARD, letter(7, failed_at=LATER))
    assert (one.topic, one.place) == ("transactions", Place(0, 7))
    assert one.digest == late.digest != read_letter(CARD, letter(7, reason="empty")).digest
    other = read_letter(CARD, letter(7, detail='no \\"x\\" here'))
    assert (one.digest, one.detail, other.detail) == (other.digest, b'""', b'"no \\"x\\" here"')


@pytest.mark.parametrize("value", [None, b"", b"{}", b"hello", letter(1)])
def test_what_no_job_has_written_is_refused(value: bytes | None) -> None:
    with pytest.raises(UnreadableOutcome, match="is not as the job writes it"):
        read_decision(CARD, value)
    if value != letter(1):
        with pytest.raises(UnreadableOutcome, match="is not as the job writes it"):
            read_letter(CARD, value)
