"""One hour of input, and what each system was found to hold of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from sinks.reconciliation.judgement import Evidence

HOUR = timedelta(hours=1)
CLOCKS_APART = timedelta(minutes=5)
"""The broker's clock and that of whoever writes to it may differ by so much."""
LATENESS = timedelta(minutes=10)
"""How long after the hour its last outputs may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HourEvidence:
    """What was read of one hour (``hour_evidence``)."""

    begin: datetime
    topic: str
    """Of the transactions."""
    evidence: Evidence
    waiting: int
    """Transactions of the hour that the job has not come to."""
