"""A rule and a feature added under load, the same again, a broken file; starts that fail or die."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from pipeline_runs import read_values
from test_job_decisions import transaction

from fraudlake.job import launch
from fraudlake.job.deploy import deploy_job
from fraudlake.job.keeper import restore_if_lost
from pipelines.errors import JobError, RulesetError
from pipelines.flink import FlinkRest
from pipelines.kafka import connect_consumer, connect_producer, read_offsets
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.flink import Job
    from pipelines.settings import KafkaSettings, Settings

pytestmark = pytest.mark.live

PER_SECOND = 500
HEAD = '[ruleset]\nid = "own"\ncombine = "sum"\nreview_at = 1\nblock_at = 2\n'
RULE = """
[[rule]]
id = "{id}"
owner = "me"
state = "active"
weight = 1
when = "{when}"
because = "so it is"
"""
ONE = HEAD + RULE.format(id="high", when="base_amount > 500")
MANY = "card_count_1h > 100000 or merchant_count_1h > 100000 or shipping_country = 'ZZ'"
TWO = ONE + RULE.format(id="many", when=MANY)
BROKEN = HEAD + RULE.format(id="high", when="base_amout > 500")


@contextlib.contextmanager
def under_load(kafka: KafkaSettings) -> Iterator[None]:
    """Transactions of 100 cards, so many a second, as long as the block runs."""
    is_over = threading.Event()

    def send() -> None:
        producer = connect_producer(kafka)
        topic = kafka.topics().transactions.name
        begin = time.monotonic()
        for number in itertools.count():
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
            card = f"card-{number % 100}"
            value = {**transaction(number, 0), "card_id": card, "event_time": now}
            producer.produce(topic, key=card.encode(), value=json.dumps(value).encode())
            producer.poll(0)
            if is_over.wait(max(0.0, begin + number / PER_SECOND - time.monotonic())):
                break
        assert producer.flush(30) == 0

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def write(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def await_ruleset(settings: Settings, ruleset: str) -> None:
    """Until a decision that is made from now on names it."""
    topic = settings.kafka.topics().decisions.name
    held = read_offsets(settings.kafka, topic)
    deadline = time.monotonic() + 120
    with contextlib.closing(connect_consumer(settings.kafka, group="test")) as consumer:
        consumer.assign([TopicPartition(topic, part, one.end) for part, one in held.items()])
        while True:
            assert time.monotonic() < deadline, f"no decision under {ruleset}"
            for message in consumer.consume(100, 0.5):
                assert message.error() is None, message.error()
                if json.loads(message.value())["ruleset"] == ruleset:
                    return


def recorded(settings: Settings) -> dict[str, str]:
    """The files that the lakehouse has, by version, each once; none was ever published."""
    with open_lake(settings) as lake:
        rows = lake.ask("select ruleset, text from rulesets", limit=1000).rows
    texts = {str(ruleset): str(text) for ruleset, text in rows}
    assert len(texts) == len(rows)
    return texts


def test_a_job_is_changed_under_load_and_taken_back_when_it_fails(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    rest = FlinkRest(settings.flink.rest_url)

    def active() -> str:
        job = rest.active_job(settings.flink.job_name)
        assert job is not None
        return job.job_id

    try:
        rules = write(tmp_path, ONE)
        first = deploy_job(settings, ruleset=rules, say=steps.append)
        assert first.outcome == "started"
        with under_load(settings.kafka):
            await_ruleset(settings, first.ruleset)

            # A rule, a feature, a stage across cards, and an optional field never read before.
            write(tmp_path, TWO)
            second = deploy_job(settings, ruleset=rules, say=steps.append)
            assert second.outcome == "replaced"
            assert second.ruleset != first.ruleset
            assert second.job_id == active()
            report = second.switch
            assert report is not None
            print(report)
            assert (report.lost, report.doubled) == (0, 0)
            assert report.decided_under_new > 0
            assert report.gap_s is not None
            # It went on counting: the state was kept.
            await_ruleset(settings, second.ruleset)

            again = deploy_job(settings, ruleset=rules, say=steps.append)
            assert (again.outcome, again.job_id) == ("unchanged", second.job_id)

            write(tmp_path, BROKEN)
            with pytest.raises(RulesetError, match="did you mean") as refused:
                deploy_job(settings, ruleset=rules, say=steps.append)
            assert "base_amout" in str(refused.value)
            assert active() == second.job_id

            # More subtasks than the cluster has slots for: it is accepted, and never runs. The file
            # that the old job was made of is broken by now.
            write(tmp_path, ONE)
            monkeypatch.setattr(launch, "RUNNING_SECONDS", 25.0)
            flink = dataclasses.replace(settings.flink, parallelism=64)
            wide = dataclasses.replace(settings, flink=flink)
            with pytest.raises(JobError, match="The old one runs again"):
                deploy_job(wide, ruleset=rules, say=steps.append)
            assert active() not in (first.job_id, second.job_id)
            await_ruleset(settings, second.ruleset)
        decisions = read_values(settings.kafka, settings.kafka.topics().decisions.name)
        places = [(item["source"]["partition"], item["source"]["offset"]) for item in decisions]
        assert len(set(places)) == len(places)
        texts = recorded(settings)
        assert {texts[item["ruleset"]] for item in decisions} == {ONE, TWO}
        counts = [item["features"].get("card_count_1h") for item in decisions]
        assert max(count for count in counts if count is not None) > 10
    finally:
        job = rest.active_job(settings.flink.job_name)
        if job is not None:
            rest.cancel(job.job_id)


@contextlib.contextmanager
def deploying(settings: Settings, rules: str, *, since: str) -> Iterator[subprocess.Popen[str]]:
    """`fraudlake job deploy`, from when it says a sentence that begins so."""
    command = [sys.executable, "-m", "fraudlake.cli", "job", "deploy", "--ruleset", rules]
    environ = {**os.environ, **settings.to_env()}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            said = next((line for line in child.stderr if line.startswith(since)), None)
            assert said is not None, "it did not come so far"
            yield child
        finally:
            child.kill()


def test_deployment_that_ends_in_the_gap_leaves_no_stream_down(
    settings: Settings, tmp_path: Path
) -> None:
    rest = FlinkRest(settings.flink.rest_url)

    def active() -> list[Job]:
        return [job for job in rest.jobs(settings.flink.job_name) if job.is_active]

    try:
        rules = write(tmp_path, ONE)
        first = deploy_job(settings, ruleset=rules, say=print)
        write(tmp_path, TWO)

        # As Dagster ends a run that is cancelled: the deployment itself takes it back. At first
        # Flink may not have heard of the stop yet.
        for since, tells in (
            ("stopping the old job", "(The old one runs again|the old job goes on)"),
            ("starting the new one", "The old one runs again, from its savepoint"),
        ):
            with deploying(settings, rules, since=since) as child:
                child.terminate()
                _, said = child.communicate(timeout=120)
            assert re.search(tells, " ".join(said.split()))
            assert child.returncode != 0
            [back] = active()
            assert rest.parameters(back.job_id)["ruleset"] == first.ruleset
        assert rest.checkpoints(back.job_id).restored == 1

        # Killed, it cannot: the keeper does.
        with deploying(settings, rules, since="starting the new one") as child:
            child.kill()
        restored = restore_if_lost(settings)
        assert restored is not None
        assert (restored.ruleset, restored.state) == (first.ruleset, "RUNNING")
        assert (restored.savepoint or "").rpartition("/")[2].startswith("savepoint-")
        assert [job.job_id for job in active()] == [restored.job_id]
    finally:
        for job in active():
            rest.cancel(job.job_id)
