"""What real streams bring besides good records in order: late ones, repeats, and broken ones."""

from __future__ import annotations

import heapq
import json
from collections import deque
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from pipelines.contracts.faults import FaultReason
from pipelines.generator.emission import Emission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LATEST_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbances:
    """How much to disturb a stream."""

    malformed: int = 0
    """Broken records, in all, put between the good ones."""
    repeats: int = 0
    """Transactions, in all, that are sent a second time."""
    late_share: float = 0.0
    """Share of the transactions that are held back by up to five seconds."""


def disturb(
    emissions: Iterable[Emission], wanted: Disturbances, *, seed: int, count: int | None
) -> Iterator[Emission]:
    """The stream with its disturbances, the same for the same seed.

    Broken records and repeats are spread evenly over ``count`` transactions; where that is None,
    one of each follows every hundredth until all are out.
    """
    random = Random(f"{seed}/disturbances")
    recent: deque[Emission] = deque(maxlen=500)
    seen = malformed = repeats = 0
    for emission in _hold_back(random, emissions, wanted.late_share):
        yield emission
        if emission.kind != "transaction":
            continue
        seen += 1
        recent.append(emission)
        while malformed < _due(wanted.malformed, seen, count):
            yield _break(emission, malformed)
            malformed += 1
        while repeats < _due(wanted.repeats, seen, count):
            first = random.choice(recent)
            yield replace(first, kind="repeat", at_ms=emission.at_ms)
            repeats += 1


def _due(wanted: int, seen: int, count: int | None) -> int:
    return min(wanted, seen // 100 if count is None else seen * wanted // max(count, 1))


def _hold_back(
    random: Random, emissions: Iterable[Emission], late_share: float
) -> Iterator[Emission]:
    if late_share <= 0:
        yield from emissions
        return
    held: list[tuple[int, int, Emission]] = []
    for number, emission in enumerate(emissions):
        while held and held[0][0] <= emission.at_ms:
            yield heapq.heappop(held)[2]
        if emission.kind == "transaction" and random.random() < late_share:
            at_ms = emission.at_ms + random.randint(1, LATEST_MS)
            heapq.heappush(held, (at_ms, number, replace(emission, at_ms=at_ms)))
        else:
            yield emission
    while held:
        yield heapq.heappop(held)[2]


def _break(emission: Emission, number: int) -> Emission:
    reasons = tuple(BREAKS)
    value = BREAKS[reasons[number % len(reasons)]](emission.value or b"")
    return Emission(kind="malformed", key=emission.key, value=value, at_ms=emission.at_ms)


def _with(field: str, value: object) -> Callable[[bytes], bytes]:
    def change(record: bytes) -> bytes:
        members: dict[str, Any] = json.loads(record)
        return json.dumps({**members, field: value}, separators=(",", ":")).encode()

    return change


def _nothing(record: bytes) -> None:
    del record


BREAKS: dict[FaultReason, Callable[[bytes], bytes | None]] = {
    FaultReason.NOT_JSON: lambda record: record[: len(record) // 2],
    FaultReason.MISSING_FIELD: _with("merchant_id", None),
    FaultReason.WRONG_TYPE: _with("amount", "12,50"),
    FaultReason.UNKNOWN_CURRENCY: _with("currency", "XTS"),
    FaultReason.BAD_TIME: _with("event_time", "01.03.2026 12:00"),
    FaultReason.EMPTY: _nothing,
    FaultReason.OUT_OF_RANGE: _with("amount", -1),
    FaultReason.NOT_AN_OBJECT: lambda record: b"[" + record + b"]",
    FaultReason.UNKNOWN_VALUE: _with("channel", "moto"),
    FaultReason.BAD_FORMAT: _with("merchant_category", "54-11"),
    FaultReason.EVENT_TIME_IN_FUTURE: _with("event_time", "2999-01-01T00:00:00.000Z"),
}
"""For each reason, how a good record becomes one that is refused for it."""
