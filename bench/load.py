"""Benchmark input: many plausible transactions, made and sent as fast as one core can.

Not the generator of ``pipelines``, whose behaviour costs time that a benchmark should not spend:
here only the shape counts, that is size, fields, card skew (Zipf) and distinct values.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.errors import TerminalError
from pipelines.kafka import connect_producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.settings import KafkaSettings

RECORDS_PER_SECOND = 2000
"""Of event time: how dense the stream is."""


def make_records(
    *, count: int, cards: int, zipf: float, seed: int, start: datetime
) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of ``count`` transactions on ``cards`` cards, in event-time order."""
    draw = random.Random(seed)
    bounds = list(itertools.accumulate(1.0 / rank**zipf for rank in range(1, cards + 1)))
    merchants = [f"m{draw.randrange(10**9):09d}" for _ in range(5000)]
    categories = ("5411", "5812", "5541", "5732", "4829", "5999")
    currencies = ("EUR", "EUR", "EUR", "USD", "GBP")
    stem = f"{seed:04x}"
    for i in range(count):
        card = bisect(bounds, draw.random() * bounds[-1])
        moment = start + timedelta(milliseconds=i * 1000 // RECORDS_PER_SECOND)
        text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        key = f"card-{card:08d}"
        value = (
            f'{{"transaction_id":"{stem}-{i:012x}","event_time":"{text}","card_id":"{key}",'
            f'"customer_id":"cust-{card // 2:08d}","merchant_id":"{merchants[draw.randrange(5000)]}",'
            f'"merchant_category":"{categories[i % 6]}","amount":{draw.randrange(100, 20000) / 100},'
            f'"currency":"{currencies[i % 5]}","channel":"pos","entry_mode":"chip",'
            f'"kind":"purchase","status":"approved","country":"DE",'
            f'"latitude":{52 + card % 100 / 1000},"longitude":{13 + card % 97 / 1000}}}'
        )
        yield key.encode(), value.encode()


def fill_topic(
    kafka: KafkaSettings,
    *,
    count: int,
    cards: int,
    seed: int,
    zipf: float = 1.1,
    on_progress: Callable[[int], None],
) -> float:
    """Send the records to ``transactions``; the mean size of a value in bytes."""
    producer = connect_producer(kafka, **{"linger.ms": 50, "queue.buffering.max.messages": 200_000})
    topic = kafka.topics().transactions.name
    start = datetime.now(UTC) - timedelta(seconds=count / RECORDS_PER_SECOND + 60)
    size = 0
    records = make_records(count=count, cards=cards, zipf=zipf, seed=seed, start=start)
    for sent, (key, value) in enumerate(records, start=1):
        size += len(value)
        while True:
            try:
                producer.produce(topic, value=value, key=key)
                break
            except BufferError:
                producer.poll(0.1)
        if sent % 10_000 == 0:
            producer.poll(0)
            on_progress(sent)
    left = producer.flush(60)
    if left:
        msg = f"{left} of {count} records were not sent to {topic} within 60 s"
        raise TerminalError(msg)
    return size / count
