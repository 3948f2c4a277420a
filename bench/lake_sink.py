"""What the lakehouse sink costs for each decision, from Kafka to committed Parquet.

The sink runs as users run it, as a process of its own; its processor time and its largest memory
are the kernel's figures of that process, taken when it was idle and when all was stored. The
yardstick reads the same bytes with the plain means of Python: ``json.loads``, a list of rows,
``table.append``.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from bench.decisions import RULESET, make_decisions
from bench.sink_process import cpu_s, peak_mb, running_sink
from pipelines.errors import TransientError
from pipelines.features import load_features
from pipelines.kafka import connect_consumer, create_topics, delete_topics, read_offsets
from pipelines.rules import load_ruleset
from pipelines.sender import KafkaSender
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.schema import apply_changes
from sinks.lakehouse.shaping import shape
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings

PATIENCE_SECONDS = 600.0
YARDSTICK_RECORDS = 20_000
_MONEY = frozenset({"amount", "base_amount"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCost:
    """One way of storing the records."""

    records: int
    cpu_s: float
    peak_mb: float

    @property
    def rows_a_cpu_second(self) -> float:
        """Records stored for each second of processor time."""
        return self.records / self.cpu_s


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkBenchmark:
    """The sink and the yardstick on the same bytes."""

    record_bytes: float
    sink: SinkCost
    yardstick: SinkCost


def run_sink_benchmark(
    settings: Settings, *, records: int, seed: int, say: Callable[[str], None]
) -> SinkBenchmark:
    """Needs the broker; topics and tables are its own and are deleted in the end."""
    with tempfile.TemporaryDirectory(prefix="fraudlake-bench-") as folder:
        own = _own(settings, Path(folder))
        topics = own.kafka.topics()
        used = (topics.decisions, topics.labels, topics.dead_letters)
        create_topics(own.kafka, used)
        try:
            with open_catalog(own, writable=True) as catalog:
                assert catalog is not None
                apply_changes(catalog, own.lakehouse, _features())
            log = Path(folder) / "sink.log"
            with running_sink(own, "lakehouse", log=log, ready=b"event=started") as process:
                idle_s = cpu_s(process)
                say(f"sending {records:,} decisions")
                sent = _send(own, records=records, seed=seed)
                say("the sink stores them")
                _await_rows(own, records, process)
                sink = SinkCost(
                    records=records, cpu_s=cpu_s(process) - idle_s, peak_mb=peak_mb(process)
                )
            say("the yardstick stores the first of them")
            yardstick = _store_plainly(own, min(records, YARDSTICK_RECORDS))
        finally:
            delete_topics(own.kafka, used)
    return SinkBenchmark(record_bytes=sent / records, sink=sink, yardstick=yardstick)


def _own(settings: Settings, home: Path) -> Settings:
    kafka = dataclasses.replace(settings.kafka, topic_prefix="bench-lake-")
    lakehouse = dataclasses.replace(settings.lakehouse, catalog_uri="", warehouse="")
    stack = dataclasses.replace(settings.stack, home=home)
    return dataclasses.replace(settings, kafka=kafka, lakehouse=lakehouse, stack=stack)


def _features() -> dict[str, str]:
    declared = load_features()
    stages = declared.select(load_ruleset(RULESET, declared).columns)
    return {one.name: one.about for stage in stages for one in stage.features}


def _send(settings: Settings, *, records: int, seed: int) -> int:
    topic = settings.kafka.topics().decisions.name
    sender = KafkaSender(settings.kafka)
    size = 0
    for number, value in enumerate(make_decisions(records, cards=records // 20, seed=seed)):
        size += len(value)
        sender.send(topic, str(number).encode(), value)
    sender.flush()
    return size


def _await_rows(settings: Settings, records: int, process: psutil.Process) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (stored := read_progress(settings)["decisions"].rows) < records:
        if not process.is_running() or time.monotonic() > deadline:
            msg = f"the sink stored {stored:,} of {records:,} decisions"
            raise TransientError(msg)
        time.sleep(0.5)


def _store_plainly(settings: Settings, records: int) -> SinkCost:
    """Read ``records`` decisions and append them at once."""
    topic = settings.kafka.topics().decisions.name
    consumer = connect_consumer(settings.kafka, group="bench-lake-plain")
    parts = read_offsets(settings.kafka, topic)
    consumer.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in parts])
    began = time.process_time()
    rows: list[dict[str, Any]] = []
    while len(rows) < records:
        for message in consumer.consume(1000, 1.0):
            value = message.value()
            if message.error() is None and value is not None:
                rows.append(_plain_row(json.loads(value), message))
    consumer.close()
    plain = dataclasses.replace(settings.lakehouse, namespace="plain")
    with open_catalog(settings, writable=True) as catalog:
        assert catalog is not None
        apply_changes(catalog, plain, _features())
        table = catalog.load_table(("plain", DECISIONS.name))
        struct = pa.struct([pa.field(name, pa.float64()) for name in _features()])
        schema = DECISIONS.arrow_schema().append(pa.field("features", struct))
        block = pa.Table.from_pylist(rows[:records], schema=schema)
        table.append(shape(block, table, topic=topic))
    used_s = time.process_time() - began
    peak = psutil.Process().memory_info().rss / 1e6
    return SinkCost(records=records, cpu_s=used_s, peak_mb=peak)


def _plain_row(decision: dict[str, Any], message: Any) -> dict[str, Any]:
    transaction = decision["transaction"]
    row = {**decision, **transaction, "transaction": json.dumps(transaction)}
    row |= {f"source_{name}": value for name, value in decision["source"].items()}
    row |= {name: Decimal(str(row[name])) for name in _MONEY}
    row |= {name: datetime.fromisoformat(row[name]) for name in ("event_time", "decided_at")}
    row |= {"kafka_partition": message.partition(), "kafka_offset": message.offset()}
    row["kafka_time"] = message.timestamp()[1] * 1000
    return row
