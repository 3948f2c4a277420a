"""The demo's summary: what it says of what came out, beside what was sent."""

from __future__ import annotations

from collections import Counter
from io import StringIO

from rich.console import Console

from fraudlake.demo.summary import build_summary, measure_delays
from fraudlake.demo.traffic import Truth
from fraudlake.demo.watch import Seen
from pipelines.generator import Emission
from pipelines.producer import Produced


def truth_of(*transactions: tuple[str, str | None]) -> Truth:
    truth = Truth()
    for transaction_id, scenario in transactions:
        value = f'{{"transaction_id": "{transaction_id}"}}'.encode()
        truth.note(Emission(kind="transaction", key=b"c", value=value, at_ms=0, scenario=scenario))
    return truth


def text_of(produced: Produced, seen: Seen, truth: Truth) -> str:
    written = StringIO()
    Console(file=written, width=120).print(build_summary(produced, seen, truth))
    return written.getvalue()


def test_campaigns_are_counted_by_what_was_flagged_of_them() -> None:
    truth = truth_of(("a", "card_testing"), ("b", "card_testing"), ("c", None), ("d", None))
    seen = Seen(decisions=4, bands=Counter(allow=2, block=2), flagged={"a", "d", "stranger"})
    text = text_of(Produced(transactions=4), seen, truth)
    assert "1 of 2 payments flagged" in text
    assert "1 of 2 flagged (50.0%)" in text
    assert "4 (allow 2, block 2)" in text
    assert "not sent" not in text


def test_records_that_never_reached_the_broker_are_said() -> None:
    produced = Produced(transactions=9, failed={"transactions": 2}, last_failure="timed out")
    assert "2 records (timed out)" in text_of(produced, Seen(), Truth())


def test_delays_are_those_of_transactions_sent_here() -> None:
    truth = truth_of(("a", None), ("b", None), ("never decided", None))
    truth.sent_at_s.update({"a": 10.0, "b": 11.0})
    seen = Seen(decided_at_s={"b": 11.25, "a": 10.75, "stranger": 12.0})
    assert measure_delays(seen, truth) == [0.25, 0.75]


def test_a_repeat_is_measured_from_its_first_sending() -> None:
    truth = truth_of(("a", None))
    first = truth.sent_at_s["a"]
    truth.note(Emission(kind="transaction", key=b"c", value=b'{"transaction_id": "a"}', at_ms=1))
    assert truth.sent_at_s == {"a": first}
