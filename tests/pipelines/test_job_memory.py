"""What is remembered of the job: apart for each pipeline, by one command at a time."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import JobError
from pipelines.job_memory import (
    Remembered,
    hold_job,
    remember,
    remembered,
)
from pipelines.settings import FlinkSettings, KafkaSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        stack=StackSettings(home=tmp_path),
        kafka=KafkaSettings(topic_prefix="eu-"),
        flink=FlinkSettings(job_name="fraud", ruleset="speed"),
    )


def test_memory_of_two_pipelines_on_one_kafka_is_kept_apart(settings: Settings) -> None:
    kafka = dataclasses.replace(settings.kafka, topic_prefix="us-")
    other = dataclasses.replace(settings, kafka=kafka)
    ours = Remembered(job_id="a" * 32, ruleset="classic@1", is_stopped=True, savepoint="s3://b/c")
    remember(settings, ours)
    assert remembered(settings) == ours
    assert remembered(other) is None
    assert (settings.stack.home / "flink" / "eu-fraud.json").is_file()


def test_damaged_memory_is_an_error_that_says_what_to_do(settings: Settings) -> None:
    remember(settings, Remembered(job_id="a" * 32, ruleset=""))
    file = settings.stack.home / "flink" / "eu-fraud.json"
    file.write_text(file.read_text()[:20])
    with pytest.raises(JobError, match=r"eu-fraud\.json .*--savepoint PATH"):
        remembered(settings)


def test_only_one_command_at_a_time_may_act_on_the_job(settings: Settings) -> None:
    with (
        hold_job(settings),
        pytest.raises(JobError, match="another command"),
        hold_job(settings, wait_seconds=0),
    ):
        pass
    with hold_job(settings, wait_seconds=0):
        pass


def test_memory_of_another_release_is_read_in_what_both_know(settings: Settings) -> None:
    """The keeper of an older release runs on beside a deployment by a newer one."""
    before = Remembered(job_id="a" * 32, ruleset="old@1")
    known = Remembered(job_id="b" * 32, ruleset="new@1", code="0123", replaces=before)
    remember(settings, known)
    file = settings.stack.home / "flink" / "eu-fraud.json"
    written = json.loads(file.read_text())
    for one in (written, written["replaces"]):
        one["of_a_later_release"] = 1
    file.write_text(json.dumps(written))
    assert remembered(settings) == known

    del written["code"]
    file.write_text(json.dumps(written))
    assert remembered(settings) == dataclasses.replace(known, code="")
