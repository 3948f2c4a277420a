"""What the generator is told, and what it yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["customer", "transaction", "label", "malformed", "repeat"]
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorOptions:
    """One stream: everything that decides its bytes."""

    seed: int
    start_ms: int
    """The logical time of the beginning."""
    cards: int = 2000
    rate: float = 200.0
    """Transactions a second of logical time, on average."""
    fraud_rate: float = 0.01
    """Target share of fraudulent transactions."""
    label_delay_ms: int = HOUR_MS
    """Labels become known half to one and a half of it after their transaction."""
    all_labels: bool = False
    """Yield the labels that are not yet due at the end, too."""
    count: int | None = None
    """Stop after so many transactions."""
    duration_ms: int | None = None
    """Stop after so much logical time."""
    skew: float | None = None
    """None: some cards are used more than others. A number: the exponent of a Zipf law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """One record for one topic, at a moment of the logical clock.

    ``scenario`` names the campaign of a fraudulent transaction and of its label. It is for counting
    and for tests, and is never written into a transaction.
    """

    kind: Kind
    key: bytes
    value: bytes | None
    at_ms: int
    scenario: str | None = None
