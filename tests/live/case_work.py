"""What investigators' tests share: an alert of payments, verdicts, and what labels came of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from alert_runs import alert_id, await_caught_up, make_alert, running, send
from confluent_kafka import TopicPartition

from pipelines.contracts.label import Label, parse_label
from pipelines.kafka import connect_consumer, read_offsets
from sinks.alerts import verdicts
from sinks.alerts.verdicts import Payment, give_verdict

if TYPE_CHECKING:
    import pytest

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert

ID = alert_id(1)
GIVE_UP_SECONDS = 60


class KilledError(Exception):
    """Stands for the end of the process: nothing in the product catches it."""


def revise(settings: Settings, sequence: int, *, payments: int) -> None:
    """Let the sink write a revision of the alert, as the job sends it for ``payments``."""
    send(settings, make_alert(1, sequence, decisions=payments))
    with running(settings):
        await_caught_up(settings)


def payments_of(alert: StoredAlert) -> list[Payment]:
    return [
        Payment(
            transaction_id=f"tx-{number}",
            card_id=alert.card_id,
            merchant_id="merchant-9",
            event_time_ms=1_790_000_000_000 + number,
            device_id=None,
        )
        for number in range(alert.hits)
    ]


def say(settings: Settings, verdict: str, *, by: str = "ann", reason: str | None = None) -> int:
    """Give the verdict; how many labels it sent."""
    given = give_verdict(
        settings, ID, verdict=verdict, reason=reason, by=by, payments_of=payments_of
    )
    return given.labels


def read_labels(settings: Settings) -> list[Label]:
    """Every committed label of the topic, the oldest verdict first."""
    topic = settings.kafka.topics().labels.name
    ends = {part: one.end for part, one in read_offsets(settings.kafka, topic).items()}
    consumer = connect_consumer(
        settings.kafka, group="test-reader", **{"enable.partition.eof": True}
    )
    labels: list[Label] = []
    try:
        consumer.assign([TopicPartition(topic, part, 0) for part in ends])
        at_end: set[int] = set()
        while at_end < ends.keys():
            for message in consumer.consume(100, 1.0):
                if message.error() is None:
                    labels.append(parse_label(message.value()))
                else:
                    at_end.add(message.partition() or 0)
    finally:
        consumer.close()
    return sorted(labels, key=lambda one: (one.label_time_ms, one.transaction_id))


def said(settings: Settings) -> list[tuple[str, str]]:
    return [(one.transaction_id, one.label) for one in read_labels(settings)]


def end_before(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """End the process, for the first who gets there, when ``step`` would begin."""
    module, name = {2: (verdicts, "deliver"), 3: (verdicts, "edit_case")}[step]
    real = getattr(module, name)
    calls = Counter[str]()

    def doomed(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        # The case is edited in step 1, and again in step 3.
        if calls[name] == (1 if step == 2 else 2):
            raise KilledError
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, doomed)
