"""Where a dry run sends its records: nowhere. Keeps the first few to be looked at."""

from __future__ import annotations

from collections import Counter

SHOWN = 3


class Preview:
    """A RecordSender that acknowledges everything and sends nothing."""

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_failure: str | None = None
        self.first: list[bytes] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Count the record."""
        del key
        self.acknowledged[topic] += 1
        if len(self.first) < SHOWN and value is not None:
            self.first.append(value)

    def wait(self, seconds: float) -> None:
        """Nobody waits in a dry run."""

    def flush(self) -> None:
        """Nothing is under way."""
