"""Decisions from Kafka into a table with the plain means of Python: what the sink is measured by.

``json.loads``, a list of rows, one ``table.append``. ``python -m bench.lake.yardstick RECORDS``
stores so many and prints what that cost as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from datetime import datetime
from decimal import Decimal
from typing import Any

import psutil
import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from bench.decisions import RULESET
from bench.sink_process import peak_mb
from pipelines.features import load_features
from pipelines.kafka import connect_consumer, read_offsets
from pipelines.rules import load_ruleset
from pipelines.settings import Settings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.shaping import shape
from sinks.lakehouse.schema import apply_changes
from sinks.lakehouse.tables import DECISIONS

_MONEY = frozenset({"amount", "base_amount"})


def main() -> None:
    """Store, and say what it cost."""
    records = int(sys.argv[1])
    cpu_s = store_plainly(Settings.from_env(), records)
    cost = {"records": records, "cpu_s": cpu_s, "peak_mb": peak_mb(psutil.Process())}
    sys.stdout.write(json.dumps(cost))


def benchmark_features() -> dict[str, str]:
    """The features of the decisions that are sent, with what they mean."""
    declared = load_features()
    stages = declared.select(load_ruleset(RULESET, declared).columns)
    return {one.name: one.about for stage in stages for one in stage.features}


def store_plainly(settings: Settings, records: int) -> float:
    """Read ``records`` decisions and append them at once; the seconds of processor time."""
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
    with open_catalog(settings) as catalog:
        apply_changes(catalog, plain, benchmark_features())
        table = catalog.load_table(("plain", DECISIONS.name))
        struct = pa.struct([pa.field(name, pa.float64()) for name in benchmark_features()])
        schema = DECISIONS.arrow_schema().append(pa.field("features", struct))
        block = pa.Table.from_pylist(rows[:records], schema=schema)
        table.append(shape(block, table, topic=topic))
    return time.process_time() - began


def _plain_row(decision: dict[str, Any], message: Any) -> dict[str, Any]:
    transaction = decision["transaction"]
    row = {**decision, **transaction, "transaction": json.dumps(transaction)}
    row |= {f"source_{name}": value for name, value in decision["source"].items()}
    row |= {name: Decimal(str(row[name])) for name in _MONEY}
    row |= {name: datetime.fromisoformat(row[name]) for name in ("event_time", "decided_at")}
    row |= {"kafka_partition": message.partition(), "kafka_offset": message.offset()}
    row["kafka_time"] = message.timestamp()[1] * 1000
    return row


if __name__ == "__main__":
    main()
