"""A card's decisions come in the order of its partition, though merchants and devices mix cards."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import await_values
from test_job_decisions import send, transaction

from fraudlake.job.submission import run_submission
from pipelines.flink import FlinkRest
from pipelines.kafka import create_topics

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

SEED = 4
CARDS, RECORDS, PARALLELISM = 60, 20_000, 4
RULES = """
[ruleset]
id = "mixing"
combine = "sum"
review_at = 1
block_at = 2
[[rule]]
id = "merchants_and_devices"
owner = "me"
state = "active"
weight = 1
when = "merchant_count_1h >= 1000000 or device_cards_1h >= 1000000"
because = "never"
"""


def stream() -> list[tuple[str, bytes]]:
    print(f"seed {SEED}")
    draw = random.Random(SEED)
    records = []
    for number in range(RECORDS):
        card = f"card-{draw.randrange(CARDS)}"
        # A hot merchant and a long tail: rows of one card go ways of different length.
        merchant = "hot" if draw.random() < 0.5 else f"m{draw.randrange(500)}"
        device = {"device_id": f"d{draw.randrange(300)}"} if draw.random() < 0.7 else {}
        more: dict[str, Any] = {"card_id": card, "merchant_id": merchant, **device}
        value = transaction(number, number / 100, **more)
        records.append((card, json.dumps(value).encode()))
    return records


def decide(settings: Settings, module: str, rules: Path) -> list[dict[str, Any]]:
    flink = dataclasses.replace(settings.flink, parallelism=PARALLELISM)
    own = dataclasses.replace(settings, flink=flink)
    create_topics(own.kafka, own.kafka.topics().all())
    send(own.kafka, own.kafka.topics().transactions.name, stream())
    job_id = run_submission(own, module, ["--ruleset", str(rules)])["job_id"]
    try:
        return await_values(own.kafka, own.kafka.topics().decisions.name, RECORDS)
    finally:
        rest = FlinkRest(own.flink.rest_url)
        rest.cancel(job_id)
        rest.await_end(job_id, wait_seconds=60)


def cards_out_of_order(decisions: list[dict[str, Any]]) -> set[str]:
    offsets = defaultdict(list)
    for decision in decisions:
        offsets[decision["transaction"]["card_id"]].append(decision["source"]["offset"])
    return {
        card
        for card, seen in offsets.items()
        if any(later < earlier for earlier, later in itertools.pairwise(seen))
    }


def test_each_card_keeps_the_order_of_its_partition(settings: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "mixing.toml"
    rules.write_text(RULES, encoding="utf-8")
    decisions = decide(settings, "flink_jobs.fraud_detection", rules)
    places = {(item["source"]["partition"], item["source"]["offset"]) for item in decisions}
    assert len(places) == len(decisions) == RECORDS
    assert cards_out_of_order(decisions) == set()


def test_without_the_reordering_step_cards_do_come_out_of_order(
    settings: Settings, tmp_path: Path
) -> None:
    """The control: were it empty, the test above would show nothing."""
    rules = tmp_path / "mixing.toml"
    rules.write_text(RULES, encoding="utf-8")
    assert cards_out_of_order(decide(settings, "tests.live.unordered_job", rules))
