"""What the job counts of a few known records, as Prometheus and ``job status`` show it."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import await_values, running_job
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.stack.home import Home
from pipelines.kafka import connect_producer

if TYPE_CHECKING:
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
PREFIX = "flink_taskmanager_job_task_operator"
LABELS = ("band", "rule", "fault", "contract")
# Flink's names of what is counted by a label hold the label's name, too.
EXPECTED = {
    f"{PREFIX}_deserializer_fraudlake_contract_records transaction": 6,
    f"{PREFIX}_deserializer_fraudlake_contract_fault_faults not_json": 1,
    f"{PREFIX}_user_fraudlake_band_decisions allow": 4,
    f"{PREFIX}_user_fraudlake_band_decisions review": 1,
    f"{PREFIX}_user_fraudlake_rule_fired high_amount": 1,
    f"{PREFIX}_user_fraudlake_alerts": 1,
    f"{PREFIX}_user_fraudlake_late": 1,
    f"{PREFIX}_user_fraudlake_repeats": 1,
}


def transaction(number: int, seconds: int, amount: float = 10.0) -> bytes:
    moment = NOW + timedelta(seconds=seconds)
    record = {
        "transaction_id": f"t{number}",
        "event_time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "card_id": "card-1",
        "customer_id": "customer-1",
        "merchant_id": "merchant-1",
        "merchant_category": "5411",
        "amount": amount,
        "currency": "EUR",
        "channel": "pos",
    }
    return json.dumps(record).encode()


def scrape(settings: Settings) -> dict[str, float]:
    """Totals of the job's own metrics by name and label, over all TaskManagers."""
    totals: dict[str, float] = defaultdict(float)
    urls = Home(path=settings.stack.home.resolve()).read_endpoints()["metrics"]
    for process, url in urls.items():
        if process == "jobmanager":
            continue
        with urllib.request.urlopen(str(url), timeout=10) as answer:
            text = answer.read().decode()
        for name, inside, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.M):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', inside))
            if labels.get("job_name") == settings.flink.job_name:
                label = next((labels[key] for key in LABELS if key in labels), "")
                totals[f"{name} {label}".strip()] += float(value)
    return totals


def status(settings: Settings) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["job", "status", "--json"], env=settings.to_env())
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_record_is_counted_once_and_for_what_it_is(settings: Settings) -> None:
    kafka = settings.kafka
    if settings.flink.external:
        pytest.skip("where an external cluster shows its metrics is not known")
    records = [
        transaction(1, 0),
        transaction(2, 100, amount=250.0),  # high_amount: 40, review
        transaction(1, 200),  # a repeat
        transaction(3, 95),  # late
        b"{ this is no transaction",
        transaction(4, 300),
    ]
    with running_job(settings, ruleset="classic"):
        producer = connect_producer(kafka)
        for record in records:
            producer.produce(kafka.topics().transactions.name, key=b"card-1", value=record)
        assert producer.flush(30) == 0
        await_values(kafka, kafka.topics().decisions.name, 5)
        await_values(kafka, kafka.topics().dead_letters.name, 1)

        found = scrape(settings)
        assert {name: found[name] for name in EXPECTED} == EXPECTED
        assert not any("customer" in name for name in found)  # `classic` reads none
        assert found[f"{PREFIX}_failedCommittables"] == 0

        # The cluster collects metrics now and then; offsets follow a checkpoint a moment later.
        awaited = {"decisions": 5, "dead_letters": 1, "lag_records": 0}
        deadline = time.monotonic() + 90
        while not awaited.items() <= (facts := status(settings)).items():
            assert time.monotonic() < deadline, facts
        shown = {name: facts[name] for name in ("records_read", "alerts", "late", "repeats")}
        assert shown == {"records_read": 6, "alerts": 1, "late": 1, "repeats": 1}
        assert facts["bands"] == {"allow": 4, "review": 1}
        assert facts["rules_fired"] == {"high_amount": 1}
        assert facts["faults"] == {"not_json": 1}
        assert facts["failed_committables"] == 0
        assert facts["state_bytes"] > 0
        assert facts["checkpoint_age_s"] < 30
