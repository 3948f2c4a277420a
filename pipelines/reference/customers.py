"""Which of a customer's profiles counts for a transaction, computed obviously.

Of the newest few by the time of their update, the newest that is not newer than the transaction;
where all of them are newer, the oldest. Of one instant the last to arrive counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.contracts.customer import Customer

MOST_VERSIONS = 4


def profile_as_of(profiles: Iterable[Customer], time_ms: int) -> Customer | None:
    """``profiles`` in the order of their arrival, those before a tombstone left out."""
    by_time = {profile.updated_at_ms: profile for profile in profiles}
    kept = [by_time[updated_at] for updated_at in sorted(by_time)[-MOST_VERSIONS:]]
    older = [profile for profile in kept if profile.updated_at_ms <= time_ms]
    return older[-1] if older else next(iter(kept), None)
