"""Ids that are hashes of what they stand for: no clock, no random number.

The same record gives the same id, whoever computes it and however often. The recipe, which the Java
encoder and the sinks follow too: SHA-256 over the parts joined by a line feed, cut to 128 bits.
"""

from __future__ import annotations

import hashlib


def decision_id(*, topic: str, partition: int, offset: int) -> str:
    """The id of the decision on the record at one place of the input.

    >>> decision_id(topic="transactions", partition=3, offset=1234)
    '1a19a78fdc699936de7c9c62ca0e45a7'
    """
    return _digest("decision", topic, str(partition), str(offset))


def alert_id(*, card_id: str, transaction_id: str) -> str:
    """The id of the alert that a card's transaction opens."""
    return _digest("alert", card_id, transaction_id)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
