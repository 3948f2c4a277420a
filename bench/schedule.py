"""Records sent on a schedule, each with the moment at which it was due.

A sender that lags makes what is measured by that moment worse, not better.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from pipelines.errors import TerminalError
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from pipelines.settings import KafkaSettings

_STAMP = b'"sent_ns":'


class ScheduledSending(threading.Thread):
    """Sends records on schedule, each with the moment it is due."""

    def __init__(
        self, kafka: KafkaSettings, values: list[tuple[bytes, bytes]], rate: float
    ) -> None:
        super().__init__(daemon=True)
        self._values = values
        self._rate = rate
        self._sender = KafkaSender(kafka)
        self._topic = kafka.topics().transactions.name
        self.first_ns = time.time_ns() + 500_000_000
        self.late_ms: list[float] = []
        self.failure: TerminalError | None = None

    def run(self) -> None:
        for number, (key, value) in enumerate(self._values):
            due_ns = self.first_ns + int(number / self._rate * 1e9)
            while (wait_ns := due_ns - time.time_ns()) > 0:
                self._sender.wait(min(wait_ns / 1e9, 0.1))
            self._sender.send(self._topic, key, stamp(value, due_ns))
            self.late_ms.append((time.time_ns() - due_ns) / 1e6)
        self._sender.flush()
        if self._sender.failed:
            self.failure = TerminalError(f"records were not sent: {self._sender.last_failure}")


def stamp(value: bytes, due_ns: int) -> bytes:
    """The JSON object with the moment as one more member.

    >>> stamp(b'{"a":1}', 42)
    b'{"a":1,"sent_ns":42}'
    """
    return b'%b,"sent_ns":%d}' % (value.rstrip()[:-1], due_ns)


def read_stamp(value: bytes) -> int:
    """The moment in a record, or in the decision that holds it.

    >>> read_stamp(b'{"transaction":{"a":1,"sent_ns":42},"band":"allow"}')
    42
    """
    start = value.index(_STAMP) + len(_STAMP)
    return int(value[start : value.index(b"}", start)])
