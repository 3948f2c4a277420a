"""What transactions turned out to be, as far as it was known at a given time."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.contracts.label import Label
    from pipelines.features import Feature, Stage
    from pipelines.reference.event import Event

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A label, and how many transactions had arrived before it."""

    behind: int
    label: Label


@dataclass(slots=True)
class _Fraud:
    day: int
    known_from_ms: float
    known_until_ms: float = math.inf


class Frauds:
    """The transactions that were ever labelled as fraud, by merchant and device."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._told = sorted(told, key=lambda one: one.behind)
        self._known: defaultdict[tuple[str, str], dict[str, _Fraud]] = defaultdict(dict)
        self._days: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def arrive(self, arrived: int) -> None:
        """Take the labels that came before the transaction with so many others before it."""
        while self._told and self._told[0].behind <= arrived:
            label = self._told.pop(0).label
            self._learn("merchant", label.merchant_id, label)
            if label.device_id is not None:
                self._learn("device", label.device_id, label)

    def _learn(self, entity: str, key: str, label: Label) -> None:
        known = self._known[entity, key]
        fraud = known.get(label.transaction_id)
        if fraud is None:
            if label.label == "fraud":
                day = label.event_time_ms // DAY_MS
                known[label.transaction_id] = _Fraud(day, label.label_time_ms)
        elif label.label == "genuine":
            fraud.known_until_ms = min(fraud.known_until_ms, label.label_time_ms)
        elif fraud.known_until_ms == math.inf:
            fraud.known_from_ms = min(fraud.known_from_ms, label.label_time_ms)
        else:
            fraud.known_from_ms, fraud.known_until_ms = label.label_time_ms, math.inf

    def count(self, key: tuple[str, str], event: Event) -> None:
        """Count a transaction of the merchant or device, whether it is ever labelled or not."""
        self._days[key].append(event.time // DAY_MS)

    def value(self, feature: Feature, event: Event, key: tuple[str, str], stage: Stage) -> float:
        """The share or the count of frauds in the feature's days."""
        all_days = self._days[key]
        last = event.time // DAY_MS - feature.delay_ms // DAY_MS
        days = range(last - feature.window_ms // DAY_MS, last)
        newest = max(all_days, default=0)
        stored = range(newest - stage.labels_ms // DAY_MS, max(newest, last) + 1)
        count = sum(day in days and day in stored for day in all_days)
        frauds = sum(
            fraud.day in days
            and fraud.day in stored
            and fraud.known_from_ms <= event.time < fraud.known_until_ms
            for fraud in self._known[key].values()
        )
        if feature.aggregate == "fraud_count":
            return float(frauds)
        weight = feature.prior_weight
        return (frauds + weight * feature.prior) / (max(count, frauds) + weight)
