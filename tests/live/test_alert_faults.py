"""What may befall the alert sink and its index: nothing is lost, nothing doubled, edits stay."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from alert_runs import (
    alert_id,
    await_caught_up,
    await_true,
    indexed_ids,
    make_alert,
    read_dead_letters,
    remove_index,
    rewind,
    running,
    running_process,
    send,
)
from doomed_alert_sink import STEPS
from elasticsearch.helpers import streaming_bulk
from second_elasticsearch import running_elasticsearch

from fraudlake.stack.readiness import elasticsearch_answers
from fraudlake.stack.status import read_status
from sinks.alerts.client import connect
from sinks.alerts.search import read_index_count
from sinks.alerts.template import apply_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from elasticsearch import Elasticsearch

    from pipelines.settings import ElasticsearchSettings, Settings

pytestmark = pytest.mark.live

NOTE = {"status": "in_progress", "assignee": "kim", "notes": [{"by": "kim", "text": "called"}]}
RESTART_SECONDS = 120.0
UNREADABLE = 5


@pytest.fixture
def index(settings: Settings) -> Iterator[Elasticsearch]:
    """A client for the index; what the test wrote is removed afterwards."""
    with connect(settings.elasticsearch) as client:
        yield client
        remove_index(client, settings.elasticsearch.index)


def get(index: Elasticsearch, settings: Settings, number: int) -> dict[str, Any]:
    found = index.get(index=f"{settings.elasticsearch.index}-2026.11", id=alert_id(number))
    return dict(found["_source"])


def edit(index: Elasticsearch, settings: Settings, number: int) -> None:
    month = f"{settings.elasticsearch.index}-2026.11"
    index.update(index=month, id=alert_id(number), doc={"case": NOTE}, retry_on_conflict=5)


def assert_edited(index: Elasticsearch, settings: Settings, number: int) -> None:
    case = get(index, settings, number)["case"]
    assert {name: case[name] for name in NOTE} == NOTE


def test_elasticsearch_killed_while_the_sink_writes_is_waited_for(
    settings: Settings, index: Elasticsearch, tmp_path: Path
) -> None:
    total = 8_000
    send(settings, make_alert(0, 1))
    log = tmp_path / "sink.log"
    with running_process(settings, log) as process:
        await_caught_up(settings)
        edit(index, settings, 0)
        send(settings, *(make_alert(number, 1) for number in range(1, total)), make_alert(0, 2))
        await_true(lambda: read_index_count(settings) > 1, "more alerts in the index")
        before = read_index_count(settings)

        kill_elasticsearch(settings)

        await_true(lambda: b"event=retry" in log.read_bytes(), "the sink in trouble")
        await_true(
            lambda: elasticsearch_answers(settings), "Elasticsearch back", seconds=RESTART_SECONDS
        )
        await_caught_up(settings, seconds=RESTART_SECONDS)
        assert process.poll() is None, log.read_text()

    assert before < total, "the kill came when all was done"
    assert sorted(indexed_ids(settings)) == [alert_id(number) for number in range(total)]
    assert_edited(index, settings, 0)
    assert get(index, settings, 0)["fraud"]["sequence"] == 2
    assert log.read_text().count("event=assigned") == 1  # it stayed a member of its group


def kill_elasticsearch(settings: Settings) -> None:
    """The server and its launcher, both at once; supervisord starts them again."""
    (part,) = [part for part in read_status(settings).parts if part.name == "elasticsearch"]
    assert part.pid is not None
    launcher = psutil.Process(part.pid)
    family = [*launcher.children(recursive=True), launcher]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


@pytest.fixture
def busy_index(settings: Settings) -> Iterator[Settings]:
    """An index that has room for one request beside the one that it works on."""
    narrow = {"thread_pool.write.size": "1", "thread_pool.write.queue_size": "1"}
    with running_elasticsearch(narrow) as server:
        elasticsearch = dataclasses.replace(settings.elasticsearch, url=server.url, external=True)
        yield dataclasses.replace(settings, elasticsearch=elasticsearch)


def test_full_queue_is_waited_out(busy_index: Settings, caplog: pytest.LogCaptureFixture) -> None:
    total = 5_000
    settings = busy_index
    apply_template(settings)
    send(settings, *(make_alert(number, 1) for number in range(total)))

    def refusals() -> int:
        lines = (record.getMessage() for record in caplog.records)
        return sum("event=retry" in line and "429" in line for line in lines)

    with storm(settings.elasticsearch), running(settings):
        await_true(lambda: refusals() >= 3, "the sink refused three times")
    # It was told to stop in the middle of it: what was refused has not been passed over.
    with running(settings):
        await_caught_up(settings)

    assert sorted(indexed_ids(settings)) == [alert_id(number) for number in range(total)]
    assert read_dead_letters(settings) == []


@contextlib.contextmanager
def storm(elasticsearch: ElasticsearchSettings) -> Iterator[None]:
    """Writers that take all the room there is."""
    over = threading.Event()

    def write() -> None:
        actions = [{"_index": "noise", "text": "x" * 2000} for _ in range(300)]
        with connect(elasticsearch) as client:
            while not over.is_set():
                written = streaming_bulk(
                    client, actions, raise_on_error=False, raise_on_exception=False
                )
                assert sum(1 for _ in written) == len(actions)

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write) for _ in range(8)]
        try:
            yield
        finally:
            over.set()
    for writer in writers:
        writer.result()


def test_month_with_a_conflicting_mapping_costs_its_own_alerts_only(
    settings: Settings, index: Elasticsearch
) -> None:
    alias = settings.elasticsearch.index
    # As if somebody had made December by hand, with a customer as plain text.
    index.indices.put_index_template(
        name=f"{alias}-by-hand",
        index_patterns=[f"{alias}-2026.12"],
        priority=900,
        template={"aliases": {alias: {}}, "mappings": {"properties": {"user": {"type": "long"}}}},
    )
    send(
        settings,
        make_alert(1, 1, opened_at="2026-11-30T23:59:59Z"),
        make_alert(2, 1, opened_at="2026-12-01T00:00:00Z"),
        make_alert(3, 1, opened_at="2026-11-30T23:59:59Z"),
    )
    try:
        with running(settings):
            await_caught_up(settings)
    finally:
        index.indices.delete_index_template(name=f"{alias}-by-hand")

    assert sorted(indexed_ids(settings)) == [alert_id(1), alert_id(3)]
    (letter,) = read_dead_letters(settings)
    assert letter["reason"] == "document_parsing_exception"
    assert "[user]" in letter["detail"]


def test_month_that_ends_between_two_deliveries_makes_no_second_document(
    settings: Settings, index: Elasticsearch
) -> None:
    opened = {"opened_at": "2026-11-30T23:59:58.250Z"}
    send(settings, make_alert(1, 1, updated_at="2026-11-30T23:59:58.250Z", **opened))
    with running(settings):
        await_caught_up(settings)
    edit(index, settings, 1)

    # The first delivery was not acknowledged; the second brings a payment of December with it.
    rewind(settings, records=1)
    send(settings, make_alert(1, 2, updated_at="2026-12-01T00:00:04.500Z", **opened))
    with running(settings):
        await_caught_up(settings)

    assert indexed_ids(settings) == [alert_id(1)]
    document = get(index, settings, 1)
    assert document["fraud"]["sequence"] == 2
    assert document["event"]["end"] == "2026-12-01T00:00:04.500Z"
    assert_edited(index, settings, 1)


def find_first(index: Elasticsearch, settings: Settings, alerts: range) -> int | None:
    """The first of the alerts that has a document."""
    month = f"{settings.elasticsearch.index}-2026.11"
    return next((one for one in alerts if index.exists(index=month, id=alert_id(one))), None)


def test_sink_killed_at_any_step_loses_nothing_and_repeats_nothing(
    settings: Settings, index: Elasticsearch
) -> None:
    alerts = range(60)
    edited: set[int] = set()
    for number, step in enumerate(STEPS):
        # There is always more to do, and something to set aside.
        send(settings, *(make_alert(one, number + 1) for one in alerts))
        send(settings, *(b"{not json %d" % one for one in range(UNREADABLE)))
        ended = subprocess.run(
            [sys.executable, Path(__file__).with_name("doomed_alert_sink.py"), step],
            env={**os.environ, **settings.to_env()},
            check=False,
            timeout=60,
        )
        assert ended.returncode == -9, f"it did not die at: {step}"
        # Somebody works on a case between any two lives of the sink. Which are there by then, the
        # broker decides, which gives out the partitions in any order.
        if (first := find_first(index, settings, alerts)) is not None:
            edit(index, settings, first)
            edited.add(first)

    with running(settings):
        await_caught_up(settings)

    assert sorted(indexed_ids(settings)) == [alert_id(number) for number in alerts]
    assert {get(index, settings, number)["fraud"]["sequence"] for number in alerts} == {len(STEPS)}
    assert edited, "no case was worked on"
    for number in edited:
        assert_edited(index, settings, number)
    # A letter may be written again; its place says that it is the same one.
    letters = read_dead_letters(settings)
    assert {letter["reason"] for letter in letters} == {"not_json"}
    places = {(letter["partition"], letter["offset"]) for letter in letters}
    assert len(places) == UNREADABLE * len(STEPS)


def test_sink_that_stood_still_overwrites_nothing_of_the_one_that_took_over(
    settings: Settings, index: Elasticsearch, tmp_path: Path
) -> None:
    """As in a container that was paused: it wakes with older revisions in hand."""
    alerts = range(20)
    send(settings, *(make_alert(one, 1) for one in alerts))
    log = tmp_path / "stood-still.log"
    doomed = Path(__file__).with_name("doomed_alert_sink.py")
    with log.open("wb") as output:
        command = [sys.executable, doomed, "behind a bulk request", "SIGSTOP"]
        slow = subprocess.Popen(
            command, env={**os.environ, **settings.to_env()}, stdout=output, stderr=output
        )
    try:
        stands_still = {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
        await_true(lambda: psutil.Process(slow.pid).status() in stands_still, "it stands still")
        assert 0 < len(indexed_ids(settings)) < len(alerts), "it has nothing in hand"
        send(settings, *(make_alert(one, 2) for one in alerts))
        with running(settings):
            await_caught_up(settings)

        slow.send_signal(signal.SIGCONT)
        await_true(lambda: b"event=session_lost" in log.read_bytes(), "it has seen that it is out")
    finally:
        slow.kill()
        slow.wait()

    assert {get(index, settings, number)["fraud"]["sequence"] for number in alerts} == {2}
    assert len(indexed_ids(settings)) == len(alerts)
