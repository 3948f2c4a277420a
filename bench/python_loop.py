"""A plain Python loop that does the work of rule set ``classic``: an honest yardstick for the job.

Two processes share the partitions. Each record is decoded once by orjson, a repeat is decided
once, lateness, the count of ten seconds, travel and the three rules are computed, and the decision
goes out with the original bytes inside, an alert beside it where it is flagged; all in Kafka
transactions with the offsets, committed once a second. What it lacks: the state lives in
dictionaries, so a crash loses it, and a record is checked for what is used, not for the whole
contract.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from pipelines.errors import JobError
from pipelines.fx import load_fx
from pipelines.ids import alert_id, decision_id
from pipelines.kafka import connect_consumer, connect_producer, read_offsets
from pipelines.reference import haversine_km

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from multiprocessing.process import BaseProcess

    from confluent_kafka import Consumer, Producer

    from pipelines.settings import KafkaSettings

PROCESSES = 2
COMMIT_SECONDS = 1.0
BATCH = 2000
DAY_MS = 86_400_000
WINDOW_MS = 10_000
WEIGHTS = {"high_amount": 40, "rapid_use": 30, "far_jump": 50}

Features = dict[str, float | None]
"""In this order: the count, the distance, the gap."""


@dataclass(slots=True)
class Card:
    """What the loop remembers of one card."""

    newest_ms: int = -1
    ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Offset and time of each transaction of a day, the oldest first."""
    times: list[int] = field(default_factory=list)
    place: tuple[int, float, float, str] | None = None
    alert: dict[str, Any] | None = None


class Decider:
    """Decides the records of some partitions; a card's records must all come here."""

    def __init__(self, topic: str, rates: Mapping[str, float]) -> None:
        self._topic = topic
        self._rates = rates
        self._cards: dict[str, Card] = {}

    def decide(self, value: bytes, partition: int, offset: int) -> tuple[bytes, bytes | None]:
        """The decision and, where it is flagged, the alert.

        KeyError, TypeError or ValueError: the record cannot be decided.
        """
        record = orjson.loads(value)
        name, card_id = record["transaction_id"], record["card_id"]
        time_ms = int(datetime.fromisoformat(record["event_time"]).timestamp() * 1000)
        amount = round(record["amount"] * self._rates[record["currency"]], 2)
        card = self._cards.get(card_id)
        if card is None:
            card = self._cards[card_id] = Card()
        first = card.ids.get(name)
        is_late = time_ms < card.newest_ms
        features: Features = dict.fromkeys(("card_count_10s", "travel_km", "travel_gap_min"))
        fired: list[str] = []
        previous = None
        if first is None:
            previous = _advance(card, record, time_ms, offset, features)
            fired = _fired(amount, features)
        score = sum(WEIGHTS[rule] for rule in fired)
        band = "block" if score >= 70 else "review" if score >= 40 else "allow"
        alert = None if band == "allow" else _grow(card, record, time_ms, amount, score)
        rest = {
            "base_amount": amount,
            "base_currency": "EUR",
            "features": features,
            "score": score,
            "band": band,
            "rules_fired": fired,
            "ruleset": "classic@loop",
            "model": None,
            "is_late": is_late,
            "is_duplicate": first is not None,
            "duplicate_of_offset": None if first is None else first[0],
            "previous_transaction_id": previous,
            "source": {"topic": self._topic, "partition": partition, "offset": offset},
            "decided_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "alert_id": None if alert is None else alert["alert_id"],
        }
        decision = b'{"decision_id":"%b","transaction":%b,%b' % (
            decision_id(topic=self._topic, partition=partition, offset=offset).encode(),
            value,
            orjson.dumps(rest)[1:],
        )
        if alert is None:
            return decision, None
        return decision, b'%b,"latest":%b}' % (orjson.dumps(alert)[:-1], decision)


def _advance(
    card: Card, record: dict[str, Any], time_ms: int, offset: int, features: Features
) -> str | None:
    """Fill the features and remember the record; the id at the place travelled from."""
    card.newest_ms = max(card.newest_ms, time_ms)
    card.ids[record["transaction_id"]] = (offset, card.newest_ms)
    while card.ids[oldest := next(iter(card.ids))][1] <= card.newest_ms - DAY_MS:
        del card.ids[oldest]
    insort(card.times, time_ms)
    up_to = bisect_right(card.times, time_ms)
    features["card_count_10s"] = up_to - bisect_right(card.times, time_ms - WINDOW_MS, 0, up_to)
    del card.times[: bisect_right(card.times, card.newest_ms - WINDOW_MS)]
    latitude, longitude = record.get("latitude"), record.get("longitude")
    if latitude is None or longitude is None or record["channel"] not in ("pos", "atm"):
        return None
    last = card.place
    if last is not None and last[0] > time_ms:
        return None
    card.place = (time_ms, latitude, longitude, record["transaction_id"])
    if last is None:
        return None
    features["travel_km"] = haversine_km((last[1], last[2]), (latitude, longitude))
    features["travel_gap_min"] = (time_ms - last[0]) / 60_000
    return last[3]


def _fired(amount: float, features: Features) -> list[str]:
    count, km, gap = features.values()
    fired = ["high_amount"] if amount > 200 else []
    if count is not None and count >= 3:
        fired.append("rapid_use")
    if km is not None and gap is not None and km > 500 and gap <= 2:
        fired.append("far_jump")
    return fired


def _grow(
    card: Card, record: dict[str, Any], time_ms: int, amount: float, score: int
) -> dict[str, Any]:
    """The card's open alert with this decision in it; a new one a day after the first."""
    alert = card.alert
    if alert is None or time_ms - alert["opened_ms"] >= DAY_MS:
        name, card_id = record["transaction_id"], record["card_id"]
        alert = card.alert = {
            "alert_id": alert_id(card_id=card_id, transaction_id=name),
            "card_id": card_id,
            "customer_id": record["customer_id"],
            "opened_ms": time_ms,
            "sequence": 0,
            "money_at_risk": 0.0,
            "score": 0,
        }
    alert["sequence"] += 1
    alert["money_at_risk"] += amount
    alert["score"] = max(alert["score"], score)
    return alert


@contextlib.contextmanager
def running_loops(kafka: KafkaSettings, group: str) -> Iterator[None]:
    """Both processes, reading what the topic holds now; JobError if one failed."""
    context = multiprocessing.get_context("spawn")
    partitions = sorted(read_offsets(kafka, kafka.topics().transactions.name))
    shares = [partitions[number::PROCESSES] for number in range(PROCESSES)]
    loops = [
        context.Process(target=run_loop, args=(kafka, group, share), daemon=True)
        for share in shares
    ]
    with running(loops):
        yield
        for loop in loops:
            loop.join(30)
        if any(loop.exitcode != 0 for loop in loops):
            msg = "a process of the plain loop failed; what it said stands above"
            raise JobError(msg)


@contextlib.contextmanager
def running(processes: Sequence[BaseProcess]) -> Iterator[None]:
    """Started here; none of them is left, however the block ends."""
    started: list[BaseProcess] = []
    try:
        for process in processes:
            process.start()
            started.append(process)
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.join()


def run_loop(kafka: KafkaSettings, group: str, partitions: list[int]) -> None:
    """Decide what the partitions hold now, exactly once as long as nothing crashes."""
    topics = kafka.topics()
    source = topics.transactions.name
    held = read_offsets(kafka, source)
    left = sum(held[partition].end - held[partition].start for partition in partitions)
    consumer = connect_consumer(kafka, group=group)
    consumer.assign([TopicPartition(source, part, OFFSET_BEGINNING) for part in partitions])
    producer = connect_producer(
        kafka,
        **{
            "transactional.id": f"{group}-{partitions[0]}",
            "linger.ms": 50,
            "queue.buffering.max.messages": 500_000,
        },
    )
    producer.init_transactions()
    decider = Decider(source, {code: float(rate) for code, rate in load_fx().rates.items()})
    while left > 0:
        producer.begin_transaction()
        until = time.monotonic() + COMMIT_SECONDS
        while left > 0 and time.monotonic() < until:
            left -= _decide_batch(consumer, producer, decider, kafka)
        positions = consumer.position([TopicPartition(source, part) for part in partitions])
        known = [position for position in positions if position.offset >= 0]
        producer.send_offsets_to_transaction(known, consumer.consumer_group_metadata())
        producer.commit_transaction()
    consumer.close()


def _decide_batch(
    consumer: Consumer, producer: Producer, decider: Decider, kafka: KafkaSettings
) -> int:
    topics = kafka.topics()
    decisions, alerts = topics.decisions.name, topics.alerts.name
    letters = topics.dead_letters.name
    messages = consumer.consume(BATCH, 0.1)
    for message in messages:
        key, value = message.key(), message.value()
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        try:
            decision, alert = decider.decide(value or b"", partition, offset)
        except (KeyError, TypeError, ValueError):
            _produce(producer, letters, key, value)
            continue
        _produce(producer, decisions, key, decision)
        if alert is not None:
            _produce(producer, alerts, key, alert)
    producer.poll(0)
    return len(messages)


def _produce(producer: Producer, topic: str, key: bytes | None, value: bytes | None) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.05)
        else:
            return
