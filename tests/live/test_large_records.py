"""Records as large as Kafka takes them by default: a megabyte, through every part."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import pytest
from pipeline_runs import await_values, running_job, running_sinks
from test_job_decisions import send, transaction

from sinks.alerts.search import Wanted, list_alerts
from sinks.lakehouse.sources import scan_sources

if TYPE_CHECKING:
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

BYTES = 900_000
DEADLINE_SECONDS = 120.0


def test_records_of_nearly_a_megabyte_are_decided_or_kept_whole(settings: Settings) -> None:
    topics = settings.kafka.topics()
    padding = "é" * (BYTES // 2)
    good = json.dumps(transaction(1, 0, amount=500, note=padding), ensure_ascii=False).encode()
    bad = b'{"transaction_id": "' + padding.encode()
    with running_job(settings, ruleset="classic"), running_sinks(settings):
        send(settings.kafka, topics.transactions.name, [("card-1", good), ("card-1", bad)])
        (decision,) = await_values(settings.kafka, topics.decisions.name, 1)
        (letter,) = await_values(settings.kafka, topics.dead_letters.name, 1)
        (alert,) = await_values(settings.kafka, topics.alerts.name, 1)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (
            list(scan_sources(settings, "decisions"))
            and list(scan_sources(settings, "dead_letters"))
            and list_alerts(settings, Wanted(), limit=1).alerts
        ):
            assert time.monotonic() < deadline, "the sinks did not store them"
            time.sleep(0.2)
        (stored,) = list_alerts(settings, Wanted(), limit=5).alerts
    assert decision["transaction"]["note"] == padding
    assert letter["reason"] == "not_json"
    assert base64.b64decode(letter["original"]) == bad
    assert stored.alert_id == alert["alert_id"] == decision["alert_id"]
    assert alert["latest"] == decision
    assert stored.latest["decision_id"] == decision["decision_id"]
    assert "é" not in json.dumps(stored.document, ensure_ascii=False)  # no field of the contract
