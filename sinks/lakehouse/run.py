"""The lakehouse sink: three topics into three tables, until told to stop.

One loop serves the three tables in turn. Labels and dead letters are few, so threads would gain
nothing, and one loop means one thing at a time: one writer of the catalog, one large commit in
memory, one place where the process can die. A table waits for another one's commit, well under a
second as a rule.

What is lost on the way (Kafka, the catalog, the warehouse being away) ends the session: the next
one asks the tables where they are, so nothing can be repeated or left out.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from random import Random
from typing import TYPE_CHECKING

from pipelines.errors import TransientError
from pipelines.kafka import connect_producer, create_topics
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.decisions import DecisionDecoder
from sinks.lakehouse.ledger import Ledger
from sinks.lakehouse.letters import Letters
from sinks.lakehouse.loader import Cadence, Loader
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.rows import decode_rows
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.source import Source, name_group
from sinks.lakehouse.tables import DECISIONS, TABLES, LakeTable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings
    from sinks.lakehouse.records import Decoded, Records

_LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.2
GROW_SECONDS = 30.0
LONGEST_WAIT_SECONDS = 15.0
STEADY_SECONDS = 60.0


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
    ``on_session`` is told when everything answers, and when that has ended.
    """
    rng = Random()
    lost = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            with _open_session(settings, accept_gap=accept_gap) as loaders:
                accept_gap = False  # it was meant for what is missing now
                on_session(True)
                try:
                    _serve(loaders, stop=stop)
                finally:
                    on_session(False)
        except TransientError as error:
            lost = 0 if time.monotonic() - began > STEADY_SECONDS else lost + 1
            seconds = min(LONGEST_WAIT_SECONDS, 0.5 * 2.0 ** min(lost, 10)) * rng.uniform(0.5, 1)
            _LOG.warning("event=session_lost wait_s=%.1f reason=%r", seconds, str(error))
            stop.wait(seconds)


@contextmanager
def _open_session(settings: Settings, *, accept_gap: bool) -> Iterator[list[Loader]]:
    """One set of clients, and a loader for each table at the place where its table ends."""
    topics = settings.kafka.topics()
    create_topics(settings.kafka, (topics.decisions, topics.labels, topics.dead_letters))
    with ExitStack() as opened:
        catalog = opened.enter_context(open_catalog(settings, writable=True))
        assert catalog is not None  # it is created where it is writable
        decoder = DecisionDecoder()
        opened.callback(decoder.close)
        letters = Letters(connect_producer(settings.kafka), topic=topics.dead_letters.name)
        loaders = [
            _open_loader(
                settings,
                table,
                catalog=catalog,
                letters=letters,
                decode=decoder.decode if table is DECISIONS else _decode_slowly(table),
                accept_gap=accept_gap,
                opened=opened,
            )
            for table in TABLES
        ]
        _LOG.info("event=started namespace=%s", settings.lakehouse.namespace)
        yield loaders
        _LOG.info("event=stopped namespace=%s", settings.lakehouse.namespace)


def _serve(loaders: list[Loader], *, stop: threading.Event) -> None:
    """Load until told to stop; then commit what was read."""
    grown = time.monotonic()
    wait = 0.0
    while not stop.is_set():
        count = sum(loader.step(seconds=wait) for loader in loaders)
        # Wait only when nobody had anything, so that an idle topic never slows a busy one.
        wait = POLL_SECONDS / len(loaders) if count == 0 else 0.0
        if time.monotonic() - grown > GROW_SECONDS:
            for loader in loaders:
                loader.grow()
            grown = time.monotonic()
    for loader in loaders:
        loader.finish()


def _open_loader(
    settings: Settings,
    table: LakeTable,
    *,
    catalog: Catalog,
    letters: Letters,
    decode: Callable[[Records], Decoded],
    accept_gap: bool,
    opened: ExitStack,
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
