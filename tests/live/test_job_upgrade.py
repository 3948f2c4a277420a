"""The job goes on with its state: under another rule set, and after its cluster was killed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import pytest
from pipeline_runs import await_values, read_values, running_job
from test_job_decisions import BERLIN_PARIS_KM, PARIS, send_transactions, transaction

from fraudlake.job.keeper import restore_if_lost
from fraudlake.job.saved_state import newest_state
from fraudlake.job.start import submit_if_missing, submit_job
from fraudlake.job.stop import stop_job
from fraudlake.stack.status import read_status
from pipelines.errors import TransientError
from pipelines.flink import FlinkRest
from pipelines.job_memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings

pytestmark = pytest.mark.live


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within its time"
        time.sleep(0.1)


def decided(settings: Settings, count: int) -> dict[str, dict[str, Any]]:
    """The decisions by transaction, once there are ``count``; none is there twice."""
    topic = settings.kafka.topics().decisions.name
    await_values(settings.kafka, topic, count)
    values = read_values(settings.kafka, topic)
    found = {value["transaction"]["transaction_id"]: value for value in values}
    assert len(values) == len(found) == count
    return found


def test_rule_sets_take_turns_on_one_state(settings: Settings) -> None:
    kafka = settings.kafka
    with running_job(settings, ruleset="classic"):
        send_transactions(kafka, transaction(1, 0), transaction(2, 1))
        decided(settings, 2)
        stop_job(settings)
        # Has a customer stage and source more than what stopped.
        submit_job(settings, ruleset="speed")
        send_transactions(kafka, transaction(3, 3601, **PARIS))
        decided(settings, 3)
        stop_job(settings)
        # Has none: the state of that stage belongs to nobody now.
        submit_job(settings, ruleset="classic")
        send_transactions(kafka, transaction(4, 3602), transaction(5, 3603))
        decided(settings, 5)
        stop_job(settings)
        # Nobody names a rule set: the last one goes on, with its counts.
        last = submit_if_missing(settings)
        assert last is not None
        assert last.ruleset.startswith("classic")
        assert submit_if_missing(settings) is None
        send_transactions(kafka, transaction(6, 3604))
        found = decided(settings, 6)
    assert found["t2"]["features"]["card_count_10s"] == 2
    # The place before was kept under `classic` and is used by `speed`, and the other way round.
    assert found["t3"]["features"]["travel_kmh"] == pytest.approx(BERLIN_PARIS_KM, abs=0.5)
    assert found["t3"]["previous_transaction_id"] == "t2"
    assert found["t4"]["features"]["travel_km"] == pytest.approx(BERLIN_PARIS_KM, abs=0.5)
    assert found["t4"]["previous_transaction_id"] == "t3"
    # 3602, 3603 and 3604 are within ten seconds, over a stop.
    assert found["t6"]["features"]["card_count_10s"] == 3


def test_job_that_died_with_its_jobmanager_goes_on_from_its_newest_checkpoint(
    stack: Settings, settings: Settings
) -> None:
    if stack.flink.external:
        pytest.skip("the servers are external")
    kafka, rest = settings.kafka, FlinkRest(settings.flink.rest_url)
    jobmanager = {part.name: part.pid for part in read_status(stack).parts}["jobmanager"]
    assert jobmanager is not None
    with running_job(settings, ruleset="classic") as first:
        send_transactions(kafka, transaction(1, 0), transaction(2, 1))
        decided(settings, 2)
        assert restore_if_lost(settings) is None
        send_transactions(kafka, *(transaction(number, number) for number in range(3, 103)))
        os.kill(jobmanager, signal.SIGKILL)
        try:
            until(lambda: read_jobs(rest, settings) == [])
            second = restore_if_lost(settings)
            assert second is not None
            assert second.job_id != first.job_id
            assert second.savepoint is not None
            assert f"/{first.job_id}/chk-" in second.savepoint
            send_transactions(kafka, transaction(103, 103))
            found = decided(settings, 103)
            savepoint = stop_job(settings)
            # Stopped on purpose: the keeper leaves it so.
            assert restore_if_lost(settings) is None
        finally:
            until(lambda: is_whole(stack), seconds=90)
    assert set(found) == {f"t{number}" for number in range(1, 104)}
    # (93, 103] holds ten: no transaction was counted twice or forgotten.
    assert found["t103"]["features"]["card_count_10s"] == 10
    known = remembered(settings)
    assert known is not None
    assert known.is_stopped
    # Had the stop died before it was remembered, its savepoint would be found.
    remember(settings, dataclasses.replace(known, savepoint=None))
    found_again = newest_state(settings)
    assert found_again is not None
    assert urlparse(found_again).path == urlparse(savepoint).path


def read_jobs(rest: FlinkRest, settings: Settings) -> list[str] | None:
    """The active jobs of the name; None while the JobManager is away."""
    with contextlib.suppress(TransientError):
        return [job.job_id for job in rest.jobs(settings.flink.job_name) if job.is_active]
    return None


def is_whole(stack: Settings) -> bool:
    """Whether the cluster has all its slots again, and they are free."""
    with contextlib.suppress(TransientError):
        cluster = FlinkRest(stack.flink.rest_url).cluster()
        wanted = stack.stack.taskmanagers * stack.stack.taskmanager_slots
        return cluster.slots_total == cluster.slots_free == wanted
    return False
