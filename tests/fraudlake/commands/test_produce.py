from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines import kafka, sender
from pipelines.contracts.times import parse_time

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import KafkaSettings
    from pipelines.topics import Topic


class Broker:
    """A legal RecordSender: takes everything but what is on a topic it refuses."""

    def __init__(self, refused: str | None = None) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_failure: str | None = None
        self.records: list[tuple[str, bytes | None]] = []
        self._refused = refused

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        del key
        self.records.append((topic, value))
        if topic == self._refused:
            self.failed[topic] += 1
            self.last_failure = f"topic {topic}: Broker: Message size too large"
        else:
            self.acknowledged[topic] += 1

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)  # a live stream keeps to the clock; the tests that wait are short

    def flush(self) -> None:
        """Nothing is under way."""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Broker:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    broker = Broker()
    install(monkeypatch, broker)
    return broker


def install(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> None:
    def connect(settings: KafkaSettings) -> Broker:
        del settings
        return broker

    def create(settings: KafkaSettings, topics: tuple[Topic, ...]) -> list[str]:
        del settings
        return [topic.name for topic in topics]

    monkeypatch.setattr(sender, "KafkaSender", connect)
    monkeypatch.setattr(kafka, "create_topics", create)


def run(*options: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["produce", "--cards", "200", *options])
    return result.exit_code, result.stdout, re.sub(r"\s+│?\s*", " ", result.stderr)


def test_the_summary_for_machines_counts_everything(broker: Broker) -> None:
    options = ("--speed", "max", "--count", "2000", "--malformed", "11", "--repeats", "7")
    code, stdout, _ = run(*options, "--label-delay", "1s", "--json")
    assert code == 0
    summary = json.loads(stdout)
    assert (summary["transactions"], summary["malformed"], summary["repeats"]) == (2000, 11, 7)
    assert summary["acknowledged"]["transactions"] == 2018
    assert summary["acknowledged"]["customers"] == summary["customers"] > 100
    assert summary["acknowledged"]["labels"] == summary["labels"] > 5
    assert sum(summary["frauds"].values()) == pytest.approx(20, abs=12)
    assert summary["failed"] == {}


def test_a_fast_stream_ends_now(broker: Broker) -> None:
    before_ms = time.time_ns() // 1_000_000
    _, stdout, _ = run("--speed", "max", "--count", "2000", "--rate", "2", "--json")
    summary = json.loads(stdout)
    assert parse_time(summary["last_event_time"]) == pytest.approx(before_ms, abs=120_000)
    assert parse_time(summary["first_event_time"]) == pytest.approx(
        before_ms - 1_000_000, abs=60_000
    )


def test_a_live_stream_begins_now_and_keeps_to_the_clock(broker: Broker) -> None:
    before = time.time()
    _, stdout, _ = run("--duration", "0.5s", "--rate", "100", "--json")
    after = time.time()
    summary = json.loads(stdout)
    assert before < parse_time(summary["first_event_time"]) / 1000 < after
    assert before + 1.4 < parse_time(summary["last_event_time"]) / 1000 < after
    assert summary["seconds"] > 0.4


def test_a_stream_may_begin_at_a_time_in_the_past(broker: Broker) -> None:
    options = ("--start-at", "2026-03-01T00:00:00Z", "--speed", "max", "--count", "10")
    _, stdout, _ = run(*options, "--json")
    assert json.loads(stdout)["first_event_time"].startswith("2026-03-01T00:00:0")


def test_the_same_seed_sends_the_same_records(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--start-at", "2026-03-01T00:00:00Z", "--speed", "max", "--count", "300")
    run(*options, "--seed", "5")
    again = Broker()
    install(monkeypatch, again)
    run(*options, "--seed", "5")
    assert again.records == broker.records


def test_people_get_a_table(broker: Broker) -> None:
    code, stdout, _ = run("--speed", "max", "--count", "500")
    assert code == 0
    for words in ("customers", "transactions", "of them fraud", "in topic transactions"):
        assert words in stdout


def test_records_that_failed_are_reported_and_end_in_exit_code_1(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Broker(refused="transactions"))
    code, stdout, _ = run("--speed", "max", "--count", "20")
    assert code == 1
    assert "failed: transactions 20; the last: topic transactions: Broker: Message" in stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--speed", "max"), "an endless stream runs at 1x; give --count or --duration"),
        (("--speed", "quick"), "speed 'quick' - must be max, or a number such as 1x"),
        (("--duration", "30"), "'30' - must be a number with a unit"),
        (("--label-delay", "soon"), "'soon' - must be a number with a unit"),
        (("--start-at", "2999-01-01T00:00:00Z"), "is in the future"),
        (("--start-at", "today"), "must be now, or a time such as"),
        (("--fraud-rate", "2"), "--fraud-rate"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_exit_code_2(
    broker: Broker, options: tuple[str, ...], sentence: str
) -> None:
    code, _, stderr = run(*options)
    assert code == 2
    assert sentence in stderr
    assert broker.records == []


def test_help_teaches_with_an_example() -> None:
    shown = CliRunner().invoke(app, ["produce", "--help"]).output
    assert "fraudlake produce --duration 30s" in shown
