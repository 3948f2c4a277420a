"""Reading the job's outputs: which input record each came from, whatever its bytes hold."""

from __future__ import annotations

import json
from typing import Any

from sinks.reconciliation.counts import OffsetCounts
from sinks.reconciliation.outputs import Outputs


class Record:
    """What is used of a Kafka record."""

    def __init__(self, topic: str, value: bytes | None, offset: int = 0) -> None:
        self._topic, self._value, self._offset = topic, value, offset

    def topic(self) -> str:
        return self._topic

    def value(self) -> bytes | None:
        return self._value

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


def outputs() -> Outputs:
    return Outputs("transactions", OffsetCounts({0: range(10)}))


def record(topic: str, content: dict[str, Any]) -> Any:
    return Record(topic, json.dumps(content).encode())


def decision(offset: int, alert_id: str | None = None) -> dict[str, Any]:
    return {
        "transaction": {"transaction_id": "t"},
        "source": {"topic": "transactions", "partition": 0, "offset": offset},
        "alert_id": alert_id,
    }


def test_decisions_count_by_their_source_and_name_alerts() -> None:
    found = outputs()
    for content in (decision(3), decision(4, "a1"), decision(10, "too new")):
        found.take_decision(record("decisions", content))
    assert (found.decisions.distinct(), found.flagged.distinct()) == (2, 1)
    assert (found.decisions.count(0, 4), found.flagged.count(0, 4)) == (1, 1)


def test_alerts_count_by_the_decision_that_caused_each_revision() -> None:
    found = outputs()
    for alert_id, offset in (("a1", 4), ("a1", 5), ("a1", 5), ("a1", 10), ("a2", 11)):
        found.take_alert(record("alerts", alert(alert_id, offset)))
    assert [found.alerts.count(0, offset) for offset in (4, 5, 10)] == [1, 2, 0]
    assert (found.alerts_caused.keys(), found.alerts_retained) == ({"a1"}, {"a1", "a2"})


def alert(alert_id: str, offset: int, opened_at: str = "2026-11-30T23:59:58Z") -> dict[str, Any]:
    return {"alert_id": alert_id, "opened_at": opened_at, "latest": decision(offset, alert_id)}


def test_alerts_belong_to_the_month_in_which_they_were_opened_in_utc() -> None:
    found = outputs()
    for alert_id, opened_at in (
        ("a1", "2026-11-30T23:59:59.999Z"),
        ("a2", "2026-12-01T00:00:00Z"),
        ("a3", "2026-12-01T00:30:00+01:00"),
    ):
        found.take_alert(record("alerts", alert(alert_id, 4, opened_at)))
    assert found.alerts_caused == {"a1": "2026.11", "a2": "2026.12", "a3": "2026.11"}


def test_letters_of_the_sinks_and_of_other_topics_are_no_outcome_of_the_input() -> None:
    found = outputs()
    for stage, topic, offset in (
        ("decode", "transactions", 1),
        ("decode", "eu-transactions", 2),
        ("lakehouse", "transactions", 3),
    ):
        letter = {"stage": stage, "topic": topic, "partition": 0, "offset": offset}
        found.take_dead_letter(record("dead-letters", letter))
    assert [found.dead_letters.count(0, offset) for offset in (1, 2, 3)] == [1, 0, 0]


def test_a_transaction_that_only_python_reads_counts() -> None:
    """A lone surrogate and a number beyond a double: allowed in fields that are not ours."""
    found = outputs()
    for offset, strange in ((1, rb'"\ud800"'), (2, b"1e400")):
        value = json.dumps(decision(offset)).encode().replace(b'"t"', b'"t", "x": ' + strange)
        found.take_decision(Record("decisions", value))  # type: ignore[arg-type]
    assert (found.decisions.distinct(), found.unreadable) == (2, [])


def test_what_is_not_ours_is_named_by_its_place() -> None:
    found = outputs()
    for offset, value in enumerate((b"hello", None, b"[]", b"{}", b'{"source": {"partition":0}}')):
        found.take_decision(Record("decisions", value, offset))  # type: ignore[arg-type]
    assert found.unreadable == [f"decisions 0:{offset}" for offset in range(5)]
    assert found.decisions.total() == 0
