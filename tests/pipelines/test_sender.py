from __future__ import annotations

from pipelines.sender import KafkaSender
from pipelines.settings import KafkaSettings


def test_records_that_no_broker_takes_in_time_are_counted_as_failed() -> None:
    nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    sender = KafkaSender(nobody, **{"message.timeout.ms": 200, "linger.ms": 0})
    for number in range(3):
        sender.send("t", b"k", str(number).encode())
    sender.flush()
    assert sender.failed == {"t": 3}
    assert sender.acknowledged == {}
    assert sender.last_failure == "topic t: Local: Message timed out"


def test_a_full_queue_waits_instead_of_dropping() -> None:
    nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    limits = {"message.timeout.ms": 200, "linger.ms": 0, "queue.buffering.max.messages": 2}
    sender = KafkaSender(nobody, **limits)
    for number in range(3):
        sender.send("t", b"k", str(number).encode())
    sender.flush()
    assert sender.failed == {"t": 3}
