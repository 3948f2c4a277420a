"""What the broker aborts under the job: counted, shown and alarmed, lost or decided again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import struct
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from pipeline_runs import await_values, read_values, running_job
from prometheus import PROGRAM, watching
from test_job_decisions import send_transactions, transaction
from test_job_metrics import PREFIX, scrape, status
from test_job_upgrade import until

from pipelines.flink import FlinkRest
from pipelines.kafka import connect_consumer, connect_producer, read_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TRANSACTION_LOG = "__transaction_state"
ONGOING = 1


@pytest.fixture
def slow(settings: Settings) -> Settings:
    """Checkpoints are made when the test asks for one, and one task writes all decisions."""
    if settings.flink.external:
        pytest.skip("where an external cluster shows its metrics is not known")
    flink = dataclasses.replace(settings.flink, checkpoint_interval_ms=3_600_000, parallelism=1)
    return dataclasses.replace(settings, flink=flink)


def test_transaction_aborted_before_its_commit_is_lost_and_alarms(slow: Settings) -> None:
    decisions = slow.kafka.topics().decisions.name
    with running_job(slow, ruleset="classic") as job, alerts_of(slow) as firing:
        send_transactions(slow.kafka, transaction(1, 0), transaction(2, 1))
        until(lambda: written(slow) == 2)
        # A savepoint closes the transaction, and leaves its commit to the next checkpoint.
        folder = (slow.stack.home / "flink" / "checkpoints").as_uri()
        take(slow, job.job_id, "savepoints", {"target-directory": folder})
        (closed,) = ongoing(slow)
        abort(slow, closed)
        assert scrape(slow)[f"{PREFIX}_failedCommittables"] == 0
        take(slow, job.job_id, "checkpoints", {"checkpointType": "CONFIGURED"})
        until(lambda: scrape(slow)[f"{PREFIX}_failedCommittables"] == 1)
        # Nothing else tells: the job runs on, as if they had been written.
        until(lambda: status(slow)["failed_committables"] == 1)
        facts = status(slow)
        assert (facts["state"], facts["last_failure"]) == ("RUNNING", None)
        send_transactions(slow.kafka, transaction(3, 2))
        until(lambda: written(slow) == 3)
        take(slow, job.job_id, "checkpoints", {"checkpointType": "CONFIGURED"})
        (only,) = await_values(slow.kafka, decisions, 1)
        assert only["transaction"]["transaction_id"] == "t3"
        # It was counted, though: what is lost is the decision, not the profile.
        assert only["features"]["card_count_10s"] == 3
        until(lambda: "FraudlakeDecisionsLost" in firing())


def test_open_transaction_that_is_aborted_is_decided_again_and_alarms(slow: Settings) -> None:
    decisions, rest = slow.kafka.topics().decisions.name, FlinkRest(slow.flink.rest_url)
    with running_job(slow, ruleset="classic") as job, alerts_of(slow) as firing:
        take(slow, job.job_id, "checkpoints", {"checkpointType": "CONFIGURED"})
        send_transactions(slow.kafka, transaction(1, 0), transaction(2, 1))
        until(lambda: written(slow) == 2)
        (opened,) = ongoing(slow)
        abort(slow, opened)
        send_transactions(slow.kafka, transaction(3, 2))
        until(lambda: (rest.read_restarts(job.job_id) or 0) >= 1)
        until(lambda: rest.are_tasks_running(job.job_id) and written(slow) == 3)
        facts = status(slow)
        assert facts["restarts"] >= 1
        assert facts["last_failure"] is not None
        take(slow, job.job_id, "checkpoints", {"checkpointType": "CONFIGURED"})
        await_values(slow.kafka, decisions, 3)
        assert scrape(slow)[f"{PREFIX}_failedCommittables"] == 0
        until(lambda: "FraudlakeTransactionsAborted" in firing())
        assert "FraudlakeDecisionsLost" not in firing()
    found = [item["transaction"]["transaction_id"] for item in read_values(slow.kafka, decisions)]
    assert sorted(found) == ["t1", "t2", "t3"]


@contextlib.contextmanager
def alerts_of(settings: Settings) -> Iterator[Callable[[], set[str]]]:
    """The alerts that fire for the job; who has no Prometheus is told at the end of the test."""
    if PROGRAM is not None:
        with watching(settings) as firing:
            yield firing
        return
    yield lambda: pytest.skip("all but the alert was shown: apt-get install prometheus")


def written(settings: Settings) -> float:
    """Decisions that the running tasks have handed to Kafka."""
    return scrape(settings).get(f"{PREFIX}_user_fraudlake_band_decisions allow", 0)


def take(settings: Settings, job_id: str, kind: str, body: dict[str, object]) -> None:
    """Have Flink make a savepoint or a checkpoint; it is whole when this returns."""
    url = f"{settings.flink.rest_url}/jobs/{job_id}/{kind}"
    headers = {"Content-Type": "application/json"}
    asked = ask(urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers))
    made = urllib.request.Request(f"{url}/{asked['request-id']}")
    until(lambda: ask(made)["status"]["id"] == "COMPLETED")
    assert "failure-cause" not in ask(made)["operation"]


def ask(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def ongoing(settings: Settings) -> list[str]:
    """The job's transactions that hold something, by the broker's own log of them."""
    prefix = f"{settings.kafka.topic_prefix}{settings.flink.job_name}-outbox."
    ends = read_offsets(settings.kafka, TRANSACTION_LOG)
    left = {part: held.end for part, held in ends.items() if held.end > held.start}
    consumer = connect_consumer(settings.kafka, group="test")
    consumer.assign([TopicPartition(TRANSACTION_LOG, part, OFFSET_BEGINNING) for part in left])
    states: dict[str, int] = {}
    deadline = time.monotonic() + 90
    while left:
        assert time.monotonic() < deadline, left
        for message in consumer.consume(1000, 0.2):
            assert message.error() is None
            key, value = message.key() or b"", message.value()
            # Version and length before the id; version, producer, epoch, time limit, state.
            states[key[4:].decode()] = (
                0 if value is None else struct.unpack_from(">hqhib", value)[4]
            )
        reached = {part.partition: part.offset for part in consumer.position(consumer.assignment())}
        left = {part: end for part, end in left.items() if reached[part] < end}
    consumer.close()
    return [name for name, state in states.items() if name.startswith(prefix) and state == ONGOING]


def abort(settings: Settings, transactional_id: str) -> None:
    """As the broker does to a transaction that is open for too long."""
    connect_producer(settings.kafka, **{"transactional.id": transactional_id}).init_transactions(30)
