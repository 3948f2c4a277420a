"""Alert grouping by hand-made streams."""

from __future__ import annotations

from typing import Any

from pipelines.alert_grouping import Flagged, Revision, group_alerts
from pipelines.ids import alert_id

HOUR = 3_600_000


def flagged(transaction_id: str, hours: float, **changes: Any) -> Flagged:
    values: dict[str, Any] = {
        "transaction_id": transaction_id,
        "event_time_ms": int(hours * HOUR),
        "base_minor": 1000,
        "score": 0.6,
        "is_block": False,
        "reasons": (("high_amount", "much"),),
    }
    return Flagged(**{**values, **changes})


def group(*decisions: Flagged) -> list[Revision]:
    return list(group_alerts("c1", decisions, window_ms=24 * HOUR))


def test_decisions_within_a_day_of_the_opening_are_one_alert() -> None:
    found = group(flagged("a", 0), flagged("b", 23.9), flagged("c", 24), flagged("d", 47.9))
    assert [(one.opening_transaction_id, one.sequence) for one in found] == [
        ("a", 1),
        ("a", 2),
        ("c", 1),
        ("c", 2),
    ]
    assert found[1].alert_id == alert_id(card_id="c1", transaction_id="a")


def test_totals_run_and_the_worst_stays() -> None:
    _, _, last = group(
        flagged("a", 1, base_minor=500, score=0.9, is_block=True),
        flagged("b", 2, base_minor=-200, reasons=(("far_jump", "far"),)),
        flagged("c", 1.5, base_minor=1, reasons=(("high_amount", "more"),)),
    )
    assert (last.sequence, last.base_minor, last.score, last.is_block) == (3, 301, 0.9, True)
    assert (last.opened_at_ms, last.updated_at_ms) == (HOUR, 2 * HOUR)
    assert last.reasons == (("high_amount", "more"), ("far_jump", "far"))


def test_a_late_decision_joins_the_open_alert_unless_it_is_from_a_day_before() -> None:
    found = group(flagged("a", 48), flagged("b", 25), flagged("c", 24), flagged("d", 49))
    assert [(one.opening_transaction_id, one.sequence) for one in found] == [
        ("a", 1),
        ("a", 2),
        ("c", 1),
        ("a", 3),
    ]
