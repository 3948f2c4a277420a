"""What earlier transactions turned out to be counts for later ones, in a job that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import await_values, running_job
from test_job_decisions import at, decisions_by_id, send, send_transactions, transaction
from test_job_upgrade import until

from fraudlake.job.start import submit_job
from fraudlake.job.stop import stop_job
from pipelines.kafka import read_group_offsets

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import KafkaSettings, Settings

pytestmark = pytest.mark.live

RULES = """
[ruleset]
id = "frauds"
description = "T"
combine = "sum"
review_at = 1
block_at = 2
[[rule]]
id = "risky"
owner = "test"
state = "active"
weight = 1
when = "{condition}"
because = "so"
"""
DAY_S = 86_400


def label(number: int, use: dict[str, Any], *, known_s: float, kind: str = "fraud") -> bytes:
    members = {name: use[name] for name in ("transaction_id", "card_id", "merchant_id")}
    device = {"device_id": use["device_id"]} if "device_id" in use else {}
    return json.dumps(
        {
            **members,
            **device,
            "event_time": use["event_time"],
            "label": kind,
            "source": "chargeback",
            "reason": f"case {number}",
            "label_time": at(known_s),
        }
    ).encode()


def send_labels(settings: Settings, labels: list[bytes]) -> None:
    """Send them and wait until the job has taken them all."""
    kafka = settings.kafka
    topic, group = kafka.topics().labels.name, _group(kafka, settings.flink.job_name)
    before = sum(read_group_offsets(kafka, group, topic).values())
    send(kafka, topic, [("card-1", value) for value in labels])
    until(lambda: sum(read_group_offsets(kafka, group, topic).values()) >= before + len(labels))


def _group(kafka: KafkaSettings, job: str) -> str:
    return f"{kafka.topic_prefix}{job}-labels"


def test_confirmed_frauds_count_once_they_are_known(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "frauds.toml"
    condition = (
        "merchant_frauds_30d >= 2 and merchant_fraud_share_30d > 0 and device_frauds_30d > 0"
    )
    path.write_text(RULES.format(condition=condition), encoding="utf-8")
    # Ten at one merchant ten days ago, each with its own device, and one on a device of today.
    old = [transaction(n, n - 10 * DAY_S, device_id=f"d{n}") for n in range(1, 11)]
    kafka = settings.kafka
    with running_job(settings, ruleset=str(path)):
        send_transactions(kafka, *old)
        decisions_by_id(kafka, 10)
        known_s = -2.0 * DAY_S
        labels = [
            label(1, old[0], known_s=known_s),
            label(2, old[1], known_s=known_s),
            label(3, old[1], known_s=known_s),  # by another source: one fraud all the same
            label(4, old[2], known_s=known_s),
            label(5, old[2], known_s=known_s + 1, kind="genuine"),  # taken back
            label(6, old[3], known_s=3600),  # in an hour
            b'{"broken"',
            label(7, transaction(99, 30 * DAY_S, device_id="d1"), known_s=known_s),  # not yet
        ]
        send_labels(settings, labels)
        send_transactions(
            kafka,
            transaction(20, -2 * DAY_S - 1, device_id="d1", card_id="card-2"),
            transaction(21, 0, device_id="d1"),
            transaction(22, 1, device_id="d9"),
            transaction(23, 3600, device_id="d4"),
            transaction(24, 3601),
            transaction(25, 3602, device_id="d1", merchant_id="merchant-2"),
        )
        found = decisions_by_id(kafka, 16)
        letters = await_values(kafka, kafka.topics().dead_letters.name, 2)
        # Frauds are state: a job that goes on still knows them. Labels are silent by now.
        stop_job(settings)
        submit_job(settings)
        send_transactions(kafka, transaction(26, 3603, device_id="d1"))
        found = decisions_by_id(kafka, 17)

    def told(number: int) -> tuple[float, float, float]:
        features = found[f"t{number}"]["features"]
        names = ("merchant_frauds_30d", "merchant_fraud_share_30d", "device_frauds_30d")
        return tuple(features[name] for name in names)

    # Of the ten of then; (frauds + 2 * 0.001) / (10 + 2).
    assert told(20) == (0, pytest.approx(0.002 / 12), 0)
    assert told(21) == (2, pytest.approx(2.002 / 12), 1)
    assert told(22) == (2, pytest.approx(2.002 / 12), 0)
    assert told(23) == (3, pytest.approx(3.002 / 12), 1)
    assert told(24) == (3, pytest.approx(3.002 / 12), None)
    assert told(25) == (0, pytest.approx(0.001), 1)
    assert told(26) == (3, pytest.approx(3.002 / 12), 1)
    assert found["t21"]["rules_fired"] == ["risky"]
    assert found["t22"]["rules_fired"] == []
    assert {letter["topic"] for letter in letters} == {kafka.topics().labels.name}
    reasons = sorted(letter["reason"] for letter in letters)
    assert reasons == ["event_time_in_future", "not_json"]


def test_labels_may_be_asked_for_later_and_no_longer(settings: Settings, tmp_path: Path) -> None:
    """The merchant's stage keeps its history while an input comes and goes."""
    without, with_labels = tmp_path / "without.toml", tmp_path / "with.toml"
    without.write_text(RULES.format(condition="merchant_count_24h > 2"), encoding="utf-8")
    text = RULES.format(condition="merchant_count_24h > 2 and merchant_frauds_30d >= 1")
    with_labels.write_text(text, encoding="utf-8")
    kafka = settings.kafka
    with running_job(settings, ruleset=str(without)):
        send_transactions(kafka, transaction(1, 0), transaction(2, 1))
        decisions_by_id(kafka, 2)
        stop_job(settings)
        submit_job(settings, ruleset=str(with_labels))
        send_transactions(kafka, transaction(3, 2))
        assert decisions_by_id(kafka, 3)["t3"]["features"]["merchant_count_24h"] == 3
        stop_job(settings)
        submit_job(settings, ruleset=str(without))
        send_transactions(kafka, transaction(4, 3))
        found = decisions_by_id(kafka, 4)
    assert found["t4"]["features"] == {"merchant_count_24h": 4}
