"""A job that fails or ends again and again is red, and nobody starts it for ever."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from pipeline_runs import await_values, running_job
from test_job_decisions import send_transactions, transaction
from test_job_upgrade import until
from watch_daemon import Daemon, daemon_for

from fraudlake.job.keeper import restore_if_lost
from fraudlake.job.restore import restore_job
from fraudlake.job.saved_state import local_path, newest_state
from orchestration.watching.looking import Lookout
from orchestration.watching.restarts import judge_restarts
from pipelines.errors import JobError
from pipelines.flink import FlinkRest
from pipelines.job_memory import Remembered, remember, remembered
from pipelines.kafka import connect_admin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TOO_SMALL, AMPLE = 200, 10_000_000
"""Bytes; a decision has some thousand."""


@pytest.fixture
def daemon(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with daemon_for(settings, monkeypatch) as one:
        yield one


def limit_records(settings: Settings, size: int) -> None:
    """Of the topic of decisions: the broker refuses what is larger."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    topic = settings.kafka.topics().decisions.name
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = connect_admin(settings.kafka)  # lives until it has answered
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result(30)


def recall(settings: Settings) -> Remembered:
    known = remembered(settings)
    assert known is not None
    return known


def newest_metadata(settings: Settings, job_id: str) -> Path:
    """The file without which no job goes on from the newest checkpoint."""
    rest = FlinkRest(settings.flink.rest_url)
    until(lambda: rest.newest_saved(job_id) is not None)
    rest.cancel(job_id)
    rest.await_end(job_id, wait_seconds=30)
    # By what lies there, as a start goes: what Flink told last may have been replaced since.
    folder = local_path(newest_state(settings) or "")
    assert folder is not None
    return folder / "_metadata"


def test_job_that_fails_at_one_record_again_and_again_is_red_until_the_cause_is_gone(
    settings: Settings, daemon: Daemon
) -> None:
    with running_job(settings, ruleset="classic") as deployment:
        daemon.tick()
        assert daemon.outcome("restarts") == "the job did not fail within the last 10 min"

        limit_records(settings, TOO_SMALL)
        send_transactions(settings.kafka, transaction(1, 0))

        def is_red() -> bool:
            daemon.tick()
            return daemon.outcome("restarts").startswith("RED the job failed or was lost 3 times")

        until(is_red)
        assert "RecordTooLargeException" in daemon.outcome("restarts")
        assert daemon.runs == []
        assert restore_if_lost(settings) is None

        limit_records(settings, AMPLE)
        await_values(settings.kafka, settings.kafka.topics().decisions.name, 1)
        line = daemon.tick()
        assert "job RUNNING" in line, line
        assert daemon.outcome("running").startswith(f"job {deployment.job_id} RUNNING")
        assert daemon.runs == []


def test_job_that_no_start_brings_back_is_left_to_a_person_who_begins_anew(
    settings: Settings, daemon: Daemon
) -> None:
    with running_job(settings, ruleset="classic") as deployment:
        daemon.tick()
        metadata = newest_metadata(settings, deployment.job_id)
        whole = metadata.read_bytes()
        metadata.write_bytes(b"damaged")
        # Three starts of the keeper's have been in vain already.
        remember(settings, replace(recall(settings), revived=(time.time() - 60,) * 3))

        daemon.tick()
        assert [run.success for run in daemon.runs] == [False]  # the watch's
        with pytest.raises(JobError):
            restore_if_lost(settings)  # the keeper's, and the fifth
        with pytest.raises(JobError, match="5 starts within 15 min were in vain"):
            restore_if_lost(settings)
        line = daemon.tick()

        assert "the job is lost: 5 starts within 15 min were in vain; tried again at" in line
        seen = Lookout().look(datetime.now(UTC))
        verdict = judge_restarts(seen.notes, seen.stream, seen.at)
        assert verdict.sentence.startswith("the job does not come back: 5 starts")
        assert restore_if_lost(settings) is None
        daemon.tick()
        assert len(daemon.runs) == 1

        metadata.write_bytes(whole)
        restored = restore_job(settings)
        assert restored is not None
        assert (recall(settings).revived, recall(settings).given_up) == ((), "")
        assert "job RUNNING" in daemon.tick()
        assert daemon.outcome("running").startswith(f"job {restored.job_id} RUNNING")
