"""What the lakehouse sink costs for each decision, from Kafka to committed Parquet.

The sink runs as users run it, as a process of its own; its processor time and its largest memory
are the kernel's figures of that process, taken when it was idle and when all was stored. The
yardstick (``yardstick.py``) reads the same bytes with the plain means of Python, as a process
of its own, too: memory is that of whole processes on both sides.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.decisions import make_decisions
from bench.lake.yardstick import benchmark_features
from bench.sink_process import cpu_s, peak_mb, running_sink
from pipelines.errors import TransientError
from pipelines.kafka import create_topics, delete_topics
from pipelines.sender import KafkaSender
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.schema import apply_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil

    from pipelines.settings import Settings

PATIENCE_SECONDS = 600.0
YARDSTICK_RECORDS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCost:
    """One way of storing the records."""

    records: int
    cpu_s: float
    peak_mb: float
    """Of the whole process, the interpreter and its libraries included."""

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
            with open_catalog(own) as catalog:
                apply_changes(catalog, own.lakehouse, benchmark_features())
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
            yardstick = _measure_yardstick(own, min(records, YARDSTICK_RECORDS))
        finally:
            delete_topics(own.kafka, used)
    return SinkBenchmark(record_bytes=sent / records, sink=sink, yardstick=yardstick)


def _own(settings: Settings, home: Path) -> Settings:
    kafka = dataclasses.replace(settings.kafka, topic_prefix="bench-lake-")
    lakehouse = dataclasses.replace(settings.lakehouse, catalog_uri="", warehouse="")
    stack = dataclasses.replace(settings.stack, home=home)
    return dataclasses.replace(settings, kafka=kafka, lakehouse=lakehouse, stack=stack)


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


def _measure_yardstick(settings: Settings, records: int) -> SinkCost:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.lake.yardstick", str(records)],
        env=settings.to_env(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        msg = f"the yardstick failed: {done.stderr[-500:]}"
        raise TransientError(msg)
    return SinkCost(**json.loads(done.stdout))
