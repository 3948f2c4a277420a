"""Two sinks at once, killed around their commits, under compaction and the tightest expiry.

Whatever happens, each record of the topic is in the table once. The control shows that the test
would see it: sinks that append as pyiceberg does by default leave records twice.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from fraudlake.lake_tables import apply_tables
from pipelines.errors import TransientError
from pipelines.kafka import read_offsets
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.upkeep.round import keep_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

pytestmark = pytest.mark.live
SINK = Path(__file__).parent / "doomed_sink.py"
SINKS = 2
RECORDS = 12_000
ROWS_A_COMMIT = 150
LONGEST_S = 100.0


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    """Fresh topics, and tables in a folder of this test alone, with the tightest upkeep."""
    lakehouse = dataclasses.replace(
        settings.lakehouse,
        commit_rows=ROWS_A_COMMIT,
        commit_seconds=0.2,
        keep_snapshots=1,
        closed_after_h=1,
    )
    stack = dataclasses.replace(settings.stack, home=tmp_path)
    settings = dataclasses.replace(settings, stack=stack, lakehouse=lakehouse)
    apply_tables(settings, ruleset="speed")
    return settings


def produce_labels(settings: Settings) -> None:
    """Labels of three days, over all partitions."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 0})
    topic = settings.kafka.topics().labels.name
    for number in range(RECORDS):
        label = {
            "transaction_id": f"t-{number}",
            "card_id": f"c-{number % 500}",
            "merchant_id": "m-1",
            "event_time": "2026-03-01T12:00:00Z",
            "label": "fraud",
            "source": "chargeback",
            "label_time": f"2026-03-0{2 + number % 3}T12:00:00Z",
        }
        producer.produce(topic, key=label["card_id"], value=json.dumps(label))
    assert producer.flush(60) == 0


@contextmanager
def sinks_alive(settings: Settings, kind: str, seed: int, log: Path) -> Iterator[None]:
    """Two sinks; one that dies is replaced at once."""
    over = threading.Event()

    def keep_one_alive(slot: int) -> None:
        birth = 0
        while not over.is_set():
            birth += 1
            words = (kind, f"{seed}-{slot}-{birth}", str(log))
            with (log.parent / "sinks.txt").open("ab") as output:
                child = subprocess.Popen(
                    [sys.executable, str(SINK), *words],
                    env=settings.to_env() | {"PYTHONPATH": str(SINK.parents[2])},
                    stdout=output,
                    stderr=output,
                )
            while child.poll() is None and not over.wait(0.02):
                pass
            child.kill()
            child.wait(10)

    keepers = [threading.Thread(target=keep_one_alive, args=(slot,)) for slot in range(SINKS)]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        over.set()
        for keeper in keepers:
            keeper.join(30)


def places(settings: Settings) -> list[tuple[int, int]]:
    """Partition and offset of every row, from one state of the table."""
    with open_catalog(settings, writable=False) as catalog:
        assert catalog is not None
        table = catalog.load_table((settings.lakehouse.namespace, "labels"))
        found = table.scan(selected_fields=("kafka_partition", "kafka_offset")).to_arrow()
    columns = (found.column(name).to_pylist() for name in found.column_names)
    return list(zip(*columns, strict=True))


def written(settings: Settings) -> set[tuple[int, int]]:
    topic = settings.kafka.topics().labels.name
    held = read_offsets(settings.kafka, topic)
    return {(part, at) for part, range_ in held.items() for at in range(range_.start, range_.end)}


def keep_up_once(settings: Settings) -> Counter[str]:
    try:
        report = keep_up(
            settings, ("compact", "expire"), tables=["labels"], dry_run=False, say=lambda _: None
        )
    except TransientError:  # it lost the race against the sinks too often
        return Counter(gave_up=1)
    return Counter(
        rewritten=report.partitions_rewritten,
        refused=report.partitions_refused,
        expired=report.snapshots_expired,
        deleted=report.files_deleted,
    )


def test_each_record_is_there_once_whatever_happens(lake: Settings, tmp_path: Path) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    produce_labels(lake)
    expected = written(lake)
    assert len(expected) == RECORDS
    log = tmp_path / "events.txt"
    log.touch()
    upkeep: Counter[str] = Counter()

    deadline = time.monotonic() + LONGEST_S
    with sinks_alive(lake, "ours", seed, log):
        while len(found := places(lake)) < RECORDS:
            assert time.monotonic() < deadline, f"{len(found)} of {RECORDS} rows"
            upkeep += keep_up_once(lake)
    upkeep += keep_up_once(lake)

    found = places(lake)
    assert len(found) == len(set(found)) == len(expected)
    assert set(found) == expected
    events = Counter(log.read_text(encoding="utf-8").splitlines())
    print(f"{dict(events)}, upkeep {dict(upkeep)}")
    assert min(events[what] for what in ("killed before", "killed behind", "fenced")) > 0
    assert min(upkeep[what] for what in ("rewritten", "expired", "deleted")) > 0


def test_the_control_of_sinks_that_append_by_default_leaves_records_twice(
    lake: Settings, tmp_path: Path
) -> None:
    produce_labels(lake)
    log = tmp_path / "events.txt"
    log.touch()

    deadline = time.monotonic() + LONGEST_S
    with sinks_alive(lake, "naive", 0, log):
        while len(found := places(lake)) == len(set(found)):
            assert time.monotonic() < deadline, f"{len(found)} rows, none of them twice"

    assert len(found) > len(set(found))
