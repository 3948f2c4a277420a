"""The whole pipeline under a kill: every offset ends once, in every place it belongs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import read_values, running_job, running_sinks

from fraudlake.stack.status import read_status
from pipelines.flink import FlinkRest
from pipelines.generator import GeneratorOptions, generate
from pipelines.generator.disturbances import Disturbances, disturb
from pipelines.kafka import connect_producer, read_offsets
from pipelines.pacing import Pace
from pipelines.producer import Produced, produce
from pipelines.rules import shipped_rulesets
from pipelines.sender import KafkaSender
from sinks.alerts.client import connect
from sinks.lakehouse.catalog import find_catalog, open_catalog

if TYPE_CHECKING:
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TRANSACTIONS = 20_000
MALFORMED = 50
REPEATS = 100
SEED = 20_261_123
SPAN_MS = 4 * 3_600_000
SECONDS = 10.0


def send_all(settings: Settings) -> Produced:
    """20,000 transactions of four hours that end now, within about ten seconds."""
    options = GeneratorOptions(
        seed=SEED,
        start_ms=time.time_ns() // 1_000_000 - SPAN_MS,
        cards=2000,
        rate=TRANSACTIONS / (SPAN_MS / 1000),
        fraud_rate=0.02,
        label_delay_ms=60_000,
        all_labels=True,
        count=TRANSACTIONS,
        duration_ms=None,
    )
    stream = disturb(
        generate(options),
        Disturbances(malformed=MALFORMED, repeats=REPEATS, late_share=0.02),
        seed=SEED,
        count=TRANSACTIONS,
    )
    killed = False

    def kill_once(produced: Produced) -> None:
        nonlocal killed
        if not killed and produced.transactions > TRANSACTIONS // 2:
            killed = True
            kill_taskmanager(settings)

    pace = Pace(speed=SPAN_MS / 1000 / SECONDS, clock=time.monotonic)
    produced = produce(
        stream,
        KafkaSender(settings.kafka),
        settings.kafka.topics(),
        pace=pace,
        on_progress=kill_once,
    )
    assert killed
    return produced


def kill_taskmanager(settings: Settings) -> None:
    (part,) = [part for part in read_status(settings).parts if part.name == "taskmanager-1"]
    assert part.pid is not None
    os.kill(part.pid, signal.SIGKILL)


def reconcile(settings: Settings, *, wait: int) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and findings of ``fraudlake reconcile --json``, as a user would run it."""
    ended = subprocess.run(
        [sys.executable, "-m", "fraudlake.cli", "reconcile", "--json", "--wait", str(wait)],
        env={**os.environ, **settings.to_env()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["balanced"] is (ended.returncode == 0)
    return ended.returncode, {finding["what"]: finding for finding in answer["findings"]}


Places = list[tuple[int, int]]


def assert_every_record_once_in_kafka(settings: Settings) -> tuple[set[str], dict[str, Places]]:
    """Counted here, by hand, over what a consumer of committed records sees.

    The alert ids, and the input's places by the table they belong in.
    """
    topics = settings.kafka.topics()
    decisions = read_values(settings.kafka, topics.decisions.name)
    letters = read_values(settings.kafka, topics.dead_letters.name)
    alerts = read_values(settings.kafka, topics.alerts.name)
    decided = [(item["source"]["partition"], item["source"]["offset"]) for item in decisions]
    refused = [(letter["partition"], letter["offset"]) for letter in letters]
    held = read_offsets(settings.kafka, topics.transactions.name)
    assert sorted(decided + refused) == [
        (partition, offset)
        for partition in sorted(held)
        for offset in range(held[partition].start, held[partition].end)
    ]
    assert len(letters) == MALFORMED
    ids = Counter(
        item["transaction"]["transaction_id"] for item in decisions if not item["is_duplicate"]
    )
    assert (len(ids), set(ids.values())) == (TRANSACTIONS, {1})
    assert sum(item["is_duplicate"] for item in decisions) == REPEATS
    flagged = [item["alert_id"] for item in decisions if item["alert_id"] is not None]
    assert {alert["alert_id"] for alert in alerts} == set(flagged)
    # A revision for each flagged decision, numbered 1, 2, 3 ... within its alert.
    assert len(flagged) == len(alerts) > len(set(flagged)) > 0
    last = Counter(flagged)
    assert sorted((alert["alert_id"], alert["sequence"]) for alert in alerts) == sorted(
        (alert_id, number) for alert_id in last for number in range(1, last[alert_id] + 1)
    )
    return set(flagged), {"decisions": sorted(decided), "dead_letters": sorted(refused)}


def assert_every_row_once_in_iceberg(settings: Settings, places: dict[str, Places]) -> None:
    """By pyiceberg alone, over the columns themselves."""
    for name, expected in places.items():
        with find_catalog(settings) as catalog:
            assert catalog is not None
            table = catalog.load_table((settings.lakehouse.namespace, name))
            columns = table.scan(selected_fields=("source_partition", "source_offset")).to_arrow()
        found = zip(*(columns[name].to_pylist() for name in columns.column_names), strict=True)
        assert sorted(found) == expected, name


def assert_every_decision_names_one_recorded_rule_set(settings: Settings, ruleset: str) -> None:
    """By pyiceberg alone: the file in the table is the one that was shipped."""
    with open_catalog(settings) as catalog:
        decisions, rulesets = (
            catalog.load_table((settings.lakehouse.namespace, name)).scan().to_arrow()
            for name in ("decisions", "rulesets")
        )
    named = decisions["ruleset"].to_pylist()
    assert set(named) == {ruleset}
    texts = [row["text"] for row in rulesets.to_pylist() if row["ruleset"] == ruleset]
    assert texts == [shipped_rulesets()["classic"].read_text(encoding="utf-8")]


def search_all(settings: Settings) -> list[dict[str, Any]]:
    """Every document, by a plain search."""
    elasticsearch = settings.elasticsearch
    with connect(elasticsearch) as client:
        client.indices.refresh(index=elasticsearch.index)
        found = client.search(index=elasticsearch.index, size=10_000, track_total_hits=True)
    assert found["hits"]["total"]["value"] < 10_000
    return list(found["hits"]["hits"])


def test_every_offset_ends_once_although_the_taskmanager_is_killed(settings: Settings) -> None:
    print(f"seed {SEED}")
    offsets = TRANSACTIONS + MALFORMED + REPEATS
    with running_job(settings, ruleset="classic") as deployment, running_sinks(settings):
        produced = send_all(settings)
        assert (produced.transactions, produced.malformed) == (TRANSACTIONS, MALFORMED)
        assert (produced.repeats, sum(produced.failed.values())) == (REPEATS, 0)
        code, findings = reconcile(settings, wait=150)
        restored = FlinkRest(settings.flink.rest_url).checkpoints(deployment.job_id).restored
    assert code == 0, findings
    assert restored >= 1, "the kill hit nothing"
    assert findings["input -> decisions + dead letters"]["expected"] == offsets
    alert_ids, places = assert_every_record_once_in_kafka(settings)
    assert_every_row_once_in_iceberg(settings, places)
    assert_every_decision_names_one_recorded_rule_set(settings, deployment.ruleset)
    assert sorted(hit["_id"] for hit in search_all(settings)) == sorted(alert_ids)
    assert_faults_are_named(settings)


def assert_faults_are_named(settings: Settings) -> None:
    """What a broken pipeline would leave behind, made by hand, and what the command says of it."""
    topics = settings.kafka.topics()
    lost = search_all(settings)[0]
    with connect(settings.elasticsearch) as client:
        client.delete(index=lost["_index"], id=lost["_id"])
    alert = read_values(settings.kafka, topics.alerts.name)[0]
    producer = connect_producer(settings.kafka)
    producer.produce(topics.alerts.name, json.dumps(alert).encode(), key="again", partition=0)
    producer.produce(topics.decisions.name, b"hello", partition=0)
    producer.produce(topics.transactions.name, b"{}", partition=0)  # the job has ended
    assert producer.flush(30) == 0
    code, findings = reconcile(settings, wait=0)
    assert code == 1
    undecided = read_offsets(settings.kafka, topics.transactions.name)[0].end - 1
    assert findings["input -> decisions + dead letters"]["examples"] == [f"0:{undecided} missing"]
    caused_by = alert["latest"]["source"]
    assert findings["flagged decisions -> alerts"]["examples"] == [
        f"{caused_by['partition']}:{caused_by['offset']} doubled"
    ]
    assert findings["alerts -> Elasticsearch"]["examples"] == [f"{lost['_id']} missing"]
    foreign = read_offsets(settings.kafka, topics.decisions.name)[0].end - 1
    assert findings["records that are not ours"]["examples"] == [
        f"{topics.decisions.name} 0:{foreign} unexpected"
    ]
