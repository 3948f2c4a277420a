"""Two sinks at once, killed around their commits, under all of the upkeep at its tightest.

Decisions take the fast way, some of them are poison, and from the middle on they have a feature
that the table lacks until the sinks wait for it. Whatever happens, each record of the topic is one
row or one dead letter. The control shows that the test would see it: sinks that append as pyiceberg
does by default leave records twice.
"""

from __future__ import annotations

import dataclasses
import os
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
from confluent_kafka import Message, Producer
from decision_records import DECISION, decision_value

from fraudlake.job.lake_tables import apply_tables
from pipelines.errors import TransientError
from pipelines.kafka import read_offsets
from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.upkeep.round import keep_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings
    from sinks.lakehouse.upkeep.round import Task

pytestmark = pytest.mark.live
SINK = Path(__file__).parent / "doomed_sink.py"
SINKS = 2
RECORDS = 3_000
WRONG_EVERY = 100
ROWS_A_COMMIT = 100
LATE_FEATURE = "torture_count"
LONGEST_S = 150.0
Place = tuple[int, int]


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    """Fresh topics, and tables in a folder of this test alone, with the tightest upkeep."""
    lakehouse = dataclasses.replace(
        settings.lakehouse,
        commit_rows=ROWS_A_COMMIT,
        commit_seconds=0.2,
        keep_snapshots=1,
        closed_after_h=1,
        sweep_after_h=1,
    )
    stack = dataclasses.replace(settings.stack, home=tmp_path)
    settings = dataclasses.replace(settings, stack=stack, lakehouse=lakehouse)
    apply_tables(settings, ruleset="speed", more=DECISION["features"])
    return settings


def produce_decisions(settings: Settings) -> set[Place]:
    """Decisions of three days, over all partitions; the places of those that are poison."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 0})
    topic = settings.kafka.topics().decisions.name
    wrong: set[Place] = set()

    def note_wrong(error: object, message: Message) -> None:
        assert error is None
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        wrong.add((partition, offset))

    for number in range(RECORDS):
        is_wrong = number % WRONG_EVERY == 0
        late = {LATE_FEATURE: number} if number > RECORDS // 2 else {}
        decision = decision_value(
            {"transaction_id": f"t-{number}", "event_time": f"2026-03-0{1 + number % 3}T12:00:00Z"},
            features={**DECISION["features"], **late},
            band="wrong" if is_wrong else "allow",
        )
        note = {"on_delivery": note_wrong} if is_wrong else {}
        producer.produce(topic, key=f"c-{number % 500}", value=decision, **note)
        producer.poll(0)
    assert producer.flush(60) == 0
    return wrong


def drop_stray(settings: Settings) -> Path:
    """A file that a writer left long ago, where the rows lie."""
    with find_catalog(settings) as catalog:
        assert catalog is not None
        table = catalog.load_table((settings.lakehouse.namespace, "decisions"))
        folder = Path(table.location().removeprefix("file://")) / "data"
    folder.mkdir(parents=True, exist_ok=True)
    stray = folder / "left-by-a-killed-writer.parquet"
    stray.write_bytes(b"PAR1")
    long_ago = time.time() - 7200
    os.utime(stray, (long_ago, long_ago))
    return stray


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
            child.wait(60)

    keepers = [threading.Thread(target=keep_one_alive, args=(slot,)) for slot in range(SINKS)]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        over.set()
        for keeper in keepers:
            keeper.join(30)


def places(settings: Settings, name: str = "decisions", of: str = "kafka") -> list[Place]:
    """Partition and offset of every row, from one state of the table."""
    with find_catalog(settings) as catalog:
        assert catalog is not None
        table = catalog.load_table((settings.lakehouse.namespace, name))
        columns = (f"{of}_partition", f"{of}_offset")
        found = table.scan(selected_fields=columns).to_arrow()
    return list(zip(*(found.column(column).to_pylist() for column in columns), strict=True))


def written(settings: Settings, topic: str) -> set[Place]:
    held = read_offsets(settings.kafka, topic)
    return {(part, at) for part, range_ in held.items() for at in range(range_.start, range_.end)}


def keep_up_once(settings: Settings) -> Counter[str]:
    tasks: tuple[Task, ...] = ("compact", "expire", "sweep")
    try:
        report = keep_up(settings, tasks, tables=["decisions"], dry_run=False, say=lambda _: None)
    except TransientError:  # it lost the race against the sinks too often
        return Counter(gave_up=1)
    return Counter(
        rewritten=report.partitions_rewritten,
        refused=report.partitions_refused,
        expired=report.snapshots_expired,
        deleted=report.files_deleted,
        swept=report.strays_deleted,
    )


def test_each_record_is_there_once_whatever_happens(lake: Settings, tmp_path: Path) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    wrong = produce_decisions(lake)
    topics = lake.kafka.topics()
    expected = written(lake, topics.decisions.name) - wrong
    assert len(expected) == RECORDS - len(wrong)
    stray = drop_stray(lake)
    log = tmp_path / "events.txt"
    log.touch()
    upkeep: Counter[str] = Counter()

    deadline = time.monotonic() + LONGEST_S
    with sinks_alive(lake, "ours", seed, log):
        is_brought_up = False
        while len(found := places(lake)) < len(expected) or not is_settled(lake):
            assert time.monotonic() < deadline, f"{len(found)} of {len(expected)} rows"
            upkeep += keep_up_once(lake)
            if not is_brought_up and "waited" in log.read_text(encoding="utf-8"):
                apply_tables(lake, ruleset="speed", more=[LATE_FEATURE])
                is_brought_up = True
    upkeep += keep_up_once(lake)

    found = places(lake)
    assert len(found) == len(set(found)) == len(expected)
    assert set(found) == expected
    # A letter may have been written twice, by a sink that died behind it; each is a row once.
    letters = places(lake, "dead_letters")
    assert len(letters) == len(set(letters))
    assert set(letters) == written(lake, topics.dead_letters.name)
    assert set(places(lake, "dead_letters", of="source")) == wrong
    assert read_progress(lake)["decisions"].dead_letters == len(wrong)
    assert not stray.exists()
    events = Counter(log.read_text(encoding="utf-8").splitlines())
    print(f"{dict(events)}, upkeep {dict(upkeep)}, {len(letters)} letters on {len(wrong)} records")
    assert min(events[what] for what in ("killed before", "killed behind", "fenced", "waited")) > 0
    assert min(upkeep[what] for what in ("rewritten", "expired", "deleted", "swept")) > 0


def is_settled(settings: Settings) -> bool:
    """True if every dead letter is in its table."""
    topic = settings.kafka.topics().dead_letters.name
    ends = {part: held.end for part, held in read_offsets(settings.kafka, topic).items()}
    return sum(ends.values()) > 0 and read_progress(settings)["dead_letters"].next_offsets == ends


def test_the_control_of_sinks_that_append_by_default_leaves_records_twice(
    lake: Settings, tmp_path: Path
) -> None:
    produce_decisions(lake)
    log = tmp_path / "events.txt"
    log.touch()

    deadline = time.monotonic() + LONGEST_S
    with sinks_alive(lake, "naive", 0, log):
        while len(found := places(lake)) == len(set(found)):
            assert time.monotonic() < deadline, f"{len(found)} rows, none of them twice"

    assert len(found) > len(set(found))
