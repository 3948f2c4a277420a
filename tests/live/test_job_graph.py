"""A stage or a sink comes and goes between savepoints: what stays keeps its state and its uid."""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import await_values, read_values, running_job
from test_job_decisions import send, send_transactions, transaction

from fraudlake.job.restore import restore_held
from fraudlake.job.start import submit_job
from fraudlake.job.stop import stop_job
from pipelines.flink import FlinkRest
from pipelines.job_memory import statement_file
from pipelines.kafka import create_topics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fraudlake.job.launch import Deployment
    from pipelines.settings import KafkaSettings, Settings

pytestmark = pytest.mark.live

RULES = """
[ruleset]
id = "own"
combine = "sum"
review_at = 1
block_at = 2

[[rule]]
id = "never"
owner = "me"
state = "active"
weight = 1
when = "{when}"
because = "so it is"
"""
CARD = "card_count_1h > 100000"
MERCHANT = f"{CARD} or merchant_count_1h > 100000"
ALL = f"{MERCHANT} or customer_max_speed_kmh > 100000"
BROKEN = b"{ this is no transaction"


# Chained operators are one vertex.
NAMES_OF_BOTH = {
    "Source: KafkaSource-default_catalog.default_database.transactions -> (transactions to "
    "card-profile, transactions to dead_letters -> dead_letters[{n}]: Writer -> "
    "dead_letters[{n}]: Committer)",
    "card-profile -> card-profile to merchant-profile",
    "merchant-profile -> merchant-profile to judgement",
    "judgement -> ConstraintEnforcer[{n}] -> outbox[{n}]: Writer -> outbox[{n}]: Committer",
}


def write(folder: Path, when: str) -> str:
    path = folder / "own.toml"
    path.write_text(RULES.format(when=when), encoding="utf-8")
    return str(path)


def read_names(settings: Settings, deployment: Deployment) -> set[str]:
    url = f"{settings.flink.rest_url}/jobs/{deployment.job_id}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        vertices = json.load(answer)["vertices"]
    return {re.sub(r"\[\d+\]", "[{n}]", vertex["name"]) for vertex in vertices}


def send_next(kafka: KafkaSettings, numbers: Iterable[int]) -> None:
    send_transactions(kafka, *(transaction(number, number) for number in numbers))


def decided(settings: Settings, count: int) -> dict[str, dict[str, Any]]:
    """The features by transaction; every input offset so far was decided exactly once."""
    topic = settings.kafka.topics().decisions.name
    await_values(settings.kafka, topic, count)
    values = read_values(settings.kafka, topic)
    places = [(value["source"]["partition"], value["source"]["offset"]) for value in values]
    assert len(places) == len(set(places)) == count
    return {value["transaction"]["transaction_id"]: value["features"] for value in values}


def test_stages_come_and_go_and_the_others_go_on_counting(
    settings: Settings, tmp_path: Path
) -> None:
    kafka, rest = settings.kafka, FlinkRest(settings.flink.rest_url)
    customer = {
        "customer_id": "customer-1",
        "updated_at": transaction(0, 0)["event_time"],
        "max_speed_kmh": 120,
    }
    send(kafka, kafka.topics().customers.name, [("customer-1", json.dumps(customer).encode())])
    with running_job(settings, ruleset=write(tmp_path, MERCHANT)) as both:
        send_next(kafka, (1, 2))
        found = decided(settings, 2)
        assert found["t2"] == {"card_count_1h": 2, "merchant_count_1h": 2}
        of_both = set(rest.read_vertices(both.job_id))
        assert read_names(settings, both) == NAMES_OF_BOTH
        stop_job(settings)

        one = submit_job(settings, ruleset=write(tmp_path, CARD))
        send_next(kafka, (3, 4))
        found = decided(settings, 4)
        assert found["t4"] == {"card_count_1h": 4}
        assert set(rest.read_vertices(one.job_id)) < of_both
        stop_job(settings)

        three = submit_job(settings, ruleset=write(tmp_path, ALL))
        send_next(kafka, (5,))
        found = decided(settings, 5)
        assert found["t5"]["card_count_1h"] == 5
        # A stage that comes back has forgotten what was before it went.
        assert found["t5"]["merchant_count_1h"] == 1
        assert of_both < set(rest.read_vertices(three.job_id))
        # Its other input is read on its own, so the customer is known a moment later.
        last = 5
        while found[f"t{last}"]["customer_max_speed_kmh"] is None:
            last += 1
            assert last < 60
            send_next(kafka, (last,))
            found = decided(settings, last)
        assert found[f"t{last}"] == {
            "card_count_1h": last,
            "merchant_count_1h": last - 4,
            "customer_max_speed_kmh": 120,
        }


def test_sinks_come_and_go_and_nothing_is_lost_or_doubled(
    settings: Settings, tmp_path: Path
) -> None:
    kafka = settings.kafka
    letters = kafka.topics().dead_letters
    copies = dataclasses.replace(letters, name=f"{letters.name}-copies")
    create_topics(kafka, [copies])
    with running_job(settings, ruleset=write(tmp_path, CARD)) as first:
        send_next(kafka, (1, 2))
        send_broken(kafka)
        decided(settings, 2)
        await_values(kafka, letters.name, 1)
        stop_job(settings)

        altered = read_statement(settings, first)
        plain = json.loads(json.dumps(altered))
        altered["setup"].append(copy_of_letters(altered["setup"], letters.name, copies.name))
        altered["inserts"].append(altered["inserts"][1].replace("dead_letters", "copies"))
        second = go_on(settings, first, altered)
        send_next(kafka, (3, 4))
        send_broken(kafka)
        assert decided(settings, 4)["t4"] == {"card_count_1h": 4}
        await_values(kafka, copies.name, 1)
        await_values(kafka, letters.name, 2)
        stop_job(settings)

        # Neither of the two sinks of letters is left.
        altered = {**plain, "inserts": plain["inserts"][:1]}
        third = go_on(settings, second, altered)
        send_next(kafka, (5, 6))
        assert decided(settings, 6)["t6"] == {"card_count_1h": 6}
        stop_job(settings)

        go_on(settings, third, plain)
        send_next(kafka, (7, 8))
        send_broken(kafka)
        assert decided(settings, 8)["t8"] == {"card_count_1h": 8}
        await_values(kafka, letters.name, 3)
    assert len(read_values(kafka, letters.name)) == 3
    assert len(read_values(kafka, copies.name)) == 1


def send_broken(kafka: KafkaSettings) -> None:
    send(kafka, kafka.topics().transactions.name, [("card-1", BROKEN)])


def read_statement(settings: Settings, deployment: Deployment) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(statement_file(settings, deployment.job_id).read_text())
    return kept


def copy_of_letters(setup: list[str], topic: str, copy: str) -> str:
    """A table like that of the dead letters: exactly once, into a topic of its own."""
    (table,) = [step for step in setup if step.startswith("CREATE TEMPORARY TABLE `dead_letters`")]
    return (
        table.replace("`dead_letters`", "`copies`")
        .replace(f"'{topic}'", f"'{copy}'")
        .replace("-dead-letters.'", "-copies.'")
    )


def go_on(settings: Settings, stopped: Deployment, statement: dict[str, Any]) -> Deployment:
    """Submit another statement in place of that of a stopped job, from its savepoint."""
    statement_file(settings, stopped.job_id).write_text(json.dumps(statement))
    deployment = restore_held(settings)
    assert deployment.savepoint is not None
    return deployment
