"""The lakehouse sink: three topics into three tables, until told to stop.

One loop serves the three tables in turn. Labels and dead letters are few, so threads would gain
nothing, and one loop means one thing at a time: one writer of the catalog, one large commit in
memory, one place where the process can die. A table waits for another one's commit, well under a
second as a rule.

What a table has to wait for (Kafka, the catalog, the warehouse being away, a feature that it lacks)
keeps only its own lane waiting (``lane.py``). What was read and cannot be relied on is dropped: the
table says where to read again, so nothing can be repeated or left out.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from pipelines.errors import TransientError
from pipelines.kafka import connect_producer, create_topics
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.decisions import DecisionDecoder
from sinks.lakehouse.ingest.lane import Backoff, Lane
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.letters import Letters
from sinks.lakehouse.ingest.loader import Cadence, Loader
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.ingest.source import Source, name_group
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DECISIONS, SINK_TABLES, LakeTable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings
    from sinks.lakehouse.ingest.records import Decoded, Records

_LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.2
GROW_SECONDS = 30.0


def run(
    settings: Settings,
    *,
    stop: threading.Event,
    accept_gap: bool = False,
    on_session: Callable[[bool], None] = lambda _: None,
) -> None:
    """Fill the tables until ``stop`` is set; SinkError when going on would lose or repeat records.

    On ``stop`` what was read is committed. Kafka, the catalog or the warehouse being away is waited
    out, and logged. ``accept_gap`` lets the sink start where records are missing from Kafka.
    ``on_session`` is told when all three tables are served, and when that has ended.
    """
    clock = time.monotonic
    rng = Random()
    backoff = Backoff(rng, clock)
    while not stop.is_set():
        try:
            with _open_lanes(
                settings, accept_gap=accept_gap, stop=stop, rng=rng, clock=clock
            ) as lanes:
                _serve(lanes, stop=stop, on_session=on_session)
        except TransientError as error:
            seconds = backoff.next_seconds()
            _LOG.warning("event=not_started wait_s=%.1f reason=%r", seconds, str(error))
            stop.wait(seconds)


@contextmanager
def _open_lanes(
    settings: Settings,
    *,
    accept_gap: bool,
    stop: threading.Event,
    rng: Random,
    clock: Callable[[], float],
) -> Iterator[list[Lane]]:
    """What the tables share, and a lane for each."""
    topics = settings.kafka.topics()
    create_topics(settings.kafka, (topics.decisions, topics.labels, topics.dead_letters))
    with ExitStack() as opened:
        catalog = opened.enter_context(open_catalog(settings))
        decoder = DecisionDecoder()
        opened.callback(decoder.close)
        letters = Letters(connect_producer(settings.kafka), topic=topics.dead_letters.name)
        lanes = [
            Lane(
                table.name,
                open_loader=partial(
                    _open_loader,
                    settings,
                    table,
                    catalog=catalog,
                    letters=letters,
                    decode=decoder.decode if table is DECISIONS else _decode_slowly(table),
                ),
                accept_gap=accept_gap,
                stop=stop,
                backoff=Backoff(rng, clock),
                clock=clock,
            )
            for table in SINK_TABLES
        ]
        for lane in lanes:
            opened.callback(lane.close)
        _LOG.info("event=started namespace=%s", settings.lakehouse.namespace)
        yield lanes
        _LOG.info("event=stopped namespace=%s", settings.lakehouse.namespace)


def _serve(lanes: list[Lane], *, stop: threading.Event, on_session: Callable[[bool], None]) -> None:
    """Load until told to stop; then commit what was read."""
    grown = time.monotonic()
    wait = 0.0
    is_well = False
    try:
        while not stop.is_set():
            count = sum(lane.step(seconds=wait) for lane in lanes)
            # Wait only when nobody had anything, so that an idle topic never slows a busy one.
            wait = POLL_SECONDS / len(lanes) if count == 0 else 0.0
            if is_well != all(lane.is_well for lane in lanes):
                is_well = not is_well
                on_session(is_well)
            if time.monotonic() - grown > GROW_SECONDS:
                for lane in lanes:
                    lane.grow()
                grown = time.monotonic()
        for lane in lanes:
            lane.finish()
    finally:
        if is_well:
            on_session(False)


def _open_loader(
    settings: Settings,
    table: LakeTable,
    *,
    catalog: Catalog,
    letters: Letters,
    decode: Callable[[Records], Decoded],
    opened: ExitStack,
    accept_gap: bool,
) -> Loader:
    with explained(settings):
        ledger = Ledger(create_table(catalog, settings.lakehouse, table))
    topic = getattr(settings.kafka.topics(), table.name).name
    source = Source(settings.kafka, topic=topic, group=name_group(settings), accept_gap=accept_gap)
    opened.callback(source.close)
    source.start(ledger.position)
    return Loader(
        name=f"{settings.lakehouse.namespace}.{table.name}",
        topic=topic,
        source=source,
        decode=decode,
        ledger=ledger,
        letters=letters,
        cadence=Cadence.of(settings.lakehouse),
        clock=time.monotonic,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )


def _decode_slowly(table: LakeTable) -> Callable[[Records], Decoded]:
    return lambda records: decode_rows(table, records)
