"""What the job wrote about a stretch of input: its decisions, dead letters and alerts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from sinks.reconciliation.topic import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka import Message

    from sinks.reconciliation.counts import OffsetCounts


class Outputs:
    """Counts records of the output topics by the input record they came from."""

    def __init__(self, input_topic: str, transactions: OffsetCounts) -> None:
        self._input_topic = input_topic
        self._transactions = transactions
        self.decisions = transactions.empty()
        self.dead_letters = transactions.empty()
        self.flagged = transactions.empty()
        """Decisions that name an alert."""
        self.alerts = transactions.empty()
        """Revisions of alerts, by the decision that caused each."""
        self.alerts_retained: set[str] = set()
        """Ids of all alerts, whatever caused them."""
        self.alerts_caused: dict[str, str] = {}
        """Ids of the alerts that a decision on the stretch caused; each with its month, 2026.11."""
        self.unreadable: list[str] = []
        """Where records stand that are not ours, as topic partition:offset."""

    def take_decision(self, message: Message) -> None:
        """Count a decision."""
        self._take(message, self._count_decision)

    def take_dead_letter(self, message: Message) -> None:
        """Count a dead letter of the job; those of the sinks concern its output."""
        self._take(message, self._count_dead_letter)

    def take_alert(self, message: Message) -> None:
        """Count a revision of an alert."""
        self._take(message, self._count_alert)

    def _take(self, message: Message, count: Callable[[Mapping[str, Any]], None]) -> None:
        try:
            count(_read_json(message.value()))
        except (ValueError, TypeError, KeyError):
            partition, offset = place_of(message)
            self.unreadable.append(f"{message.topic()} {partition}:{offset}")

    def _count_decision(self, decision: Mapping[str, Any]) -> None:
        partition, offset = _source(decision)
        is_flagged = decision["alert_id"] is not None
        self.decisions.add(partition, offset)
        if is_flagged:
            self.flagged.add(partition, offset)

    def _count_dead_letter(self, letter: Mapping[str, Any]) -> None:
        place = int(letter["partition"]), int(letter["offset"])
        if letter["topic"] == self._input_topic and letter["stage"] == "decode":
            self.dead_letters.add(*place)

    def _count_alert(self, alert: Mapping[str, Any]) -> None:
        alert_id, source = alert["alert_id"], _source(alert["latest"])
        self.alerts.add(*source)
        self.alerts_retained.add(alert_id)
        if self._transactions.includes(*source):
            self.alerts_caused[alert_id] = _month(alert["opened_at"])


def _source(decision: Mapping[str, Any]) -> tuple[int, int]:
    source = decision["source"]
    return int(source["partition"]), int(source["offset"])


def _month(opened_at: str) -> str:
    """Of the index that has the alert."""
    return f"{datetime.fromisoformat(opened_at).astimezone(UTC):%Y.%m}"


def _read_json(value: str | bytes | None) -> Any:
    """JSON as wide as the contracts take it; orjson, five times as fast, refuses a little of it.

    A transaction's bytes stand unchanged in its decision, with lone surrogates and 1e400 in fields
    that are none of ours.
    """
    try:
        return orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return json.loads(value or b"")
