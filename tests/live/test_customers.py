"""Customers beside transactions: known before the first decision, as of its time, never in its way.

The first test has a control: the same start without reading customers first must miss some.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import await_values, running_job
from test_job_decisions import at, send, send_transactions, transaction

from fraudlake.job.keeper import restore_if_lost
from fraudlake.job.priming import read_newest
from fraudlake.job.start import submit_job
from fraudlake.job.stop import stop_job
from fraudlake.job.submission import JOB, run_submission
from pipelines.flink import FlinkRest
from pipelines.job_memory import Remembered, remember, remembered
from pipelines.kafka import connect_producer, read_group_offsets

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import KafkaSettings, Settings

pytestmark = pytest.mark.live

CUSTOMERS, TRANSACTIONS = 50_000, 2_000
LIMIT = "customer_max_speed_kmh"


def own_limit(number: int) -> int:
    return 100 + number % 800


def send_customers_and_transactions(kafka: KafkaSettings) -> None:
    """The first transactions are of the customers that a reader of both topics comes to last."""
    send(kafka, kafka.topics().customers.name, [profile(n) for n in range(CUSTOMERS)])
    numbers = range(CUSTOMERS - 1, CUSTOMERS - 1 - TRANSACTIONS, -1)
    send_transactions(
        kafka,
        *(transaction(n, 0, card_id=f"card-{n}", customer_id=f"customer-{n}") for n in numbers),
    )


def profile(number: int, limit: int | None = None, seconds: float = -100) -> tuple[str, bytes]:
    name = f"customer-{number}"
    speed = own_limit(number) if limit is None else limit
    value = {"customer_id": name, "updated_at": at(seconds), "max_speed_kmh": speed}
    return name, json.dumps(value).encode()


def count_without_limit(decisions: list[dict[str, Any]]) -> int:
    """Decisions without the customer's limit; any other limit than their own is an error."""
    missing = 0
    for decision in decisions:
        number = int(decision["transaction"]["customer_id"].removeprefix("customer-"))
        found = decision["features"][LIMIT]
        assert found in (None, own_limit(number))
        missing += found is None
    return missing


def test_every_first_decision_knows_its_customer(settings: Settings) -> None:
    kafka = settings.kafka
    send_customers_and_transactions(kafka)
    said: list[str] = []
    submit_job(settings, ruleset="speed", is_fresh=True, say=said.append)
    try:
        decisions = await_values(kafka, kafka.topics().decisions.name, TRANSACTIONS)
        assert len(decisions) == TRANSACTIONS
        assert count_without_limit(decisions) == 0
        reading, read = about_customers(said)
        assert reading == "reading 50,000 customers first"
        assert read.startswith("read 50,000 customers, in ")
        # The state goes on: neither customers nor transactions are read again.
        stop_job(settings)
        assert submit_job(settings, say=said.append).savepoint is not None
        assert about_customers(said) == [reading, read]
        send_transactions(kafka, transaction(1, 60, card_id="card-1", customer_id="customer-1"))
        decisions = await_values(kafka, kafka.topics().decisions.name, TRANSACTIONS + 1)
        assert len(decisions) == TRANSACTIONS + 1
        assert count_without_limit(decisions) == 0
    finally:
        stop_job(settings)


def about_customers(said: list[str]) -> list[str]:
    """Of what a submission says, the lines about customers; others are about tables."""
    return [line for line in said if "customers" in line]


def test_without_reading_them_first_some_decisions_lack_their_customer(settings: Settings) -> None:
    """The control of the test before."""
    kafka, rest = settings.kafka, FlinkRest(settings.flink.rest_url)
    send_customers_and_transactions(kafka)
    job_id = run_submission(settings, JOB, ["--ruleset", "speed"])["job_id"]
    try:
        decisions = await_values(kafka, kafka.topics().decisions.name, TRANSACTIONS)
    finally:
        rest.cancel(job_id)
    assert count_without_limit(decisions) > 0


def test_change_counts_from_its_time_on_and_a_replay_says_the_same(settings: Settings) -> None:
    kafka = settings.kafka
    customers = kafka.topics().customers.name
    send(kafka, customers, [profile(1, 150, 0)])
    with running_job(settings, ruleset="speed"):
        send_transactions(kafka, numbered(1, 10))
        await_values(kafka, kafka.topics().decisions.name, 1)
        send(kafka, customers, [profile(1, 300, 100)])
        await_read(settings, customers)
        # One of the time before the change comes late: it gets the limit of then.
        send_transactions(kafka, numbered(2, 200), numbered(3, 50))
        first = await_values(kafka, kafka.topics().decisions.name, 3)
        stop_job(settings)
    flink = dataclasses.replace(settings.flink, job_name=f"{settings.flink.job_name}-again")
    with running_job(dataclasses.replace(settings, flink=flink), ruleset="speed"):
        both = await_values(kafka, kafka.topics().decisions.name, 6)
    again = both[:]
    for decision in first:
        again.remove(decision)
    assert limits(first) == {"t1": 150, "t2": 300, "t3": 150}
    assert features(again) == features(first)


def numbered(number: int, seconds: float) -> dict[str, Any]:
    return transaction(number, seconds, customer_id="customer-1")


def limits(decisions: list[dict[str, Any]]) -> dict[str, float | None]:
    return {name: values[LIMIT] for name, values in features(decisions).items()}


def features(decisions: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["transaction"]["transaction_id"]: item["features"] for item in decisions}


def await_read(settings: Settings, topic: str) -> None:
    """Until the job has saved that it has read all of the topic."""
    group = f"{settings.kafka.topic_prefix}{settings.flink.job_name}-customers"
    wanted = read_newest(settings.kafka, topic)

    def is_read() -> bool:
        found = read_group_offsets(settings.kafka, group, topic)
        return all(found.get(part, 0) >= offset for part, offset in wanted.items())

    until(is_read)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "not within its time"
        time.sleep(0.1)


def test_empty_customers_topic_holds_nothing_up(settings: Settings) -> None:
    kafka = settings.kafka
    said: list[str] = []
    deployed = submit_job(settings, ruleset="speed", is_fresh=True, say=said.append)
    try:
        assert about_customers(said) == ["no customers yet, so none to read first"]
        assert deployed.savepoint is None
        send_transactions(kafka, numbered(1, 0), numbered(2, 60))
        decisions = await_values(kafka, kafka.topics().decisions.name, 2)
    finally:
        stop_job(settings)
    assert limits(decisions) == {"t1": None, "t2": None}


def test_transactional_and_broken_customers_are_read_first_all_the_same(
    settings: Settings,
) -> None:
    """Behind the last record of a transaction lies its commit, which no reader reports as read."""
    kafka = settings.kafka
    customers = kafka.topics().customers.name
    producer = connect_producer(kafka, **{"transactional.id": f"{settings.flink.job_name}-c"})
    producer.init_transactions(30)
    for number in range(3):
        producer.begin_transaction()
        name, value = profile(number)
        producer.produce(customers, key=name.encode(), value=value)
        producer.produce(customers, key=b"broken", value=b"{")
        producer.commit_transaction(30)
    # From a clock that is wrong: taken as the newest, it would be that for ever.
    future = {"customer_id": "customer-0", "updated_at": "9999-01-01T00:00:00Z"}
    send(kafka, customers, [("customer-0", json.dumps(future).encode())])
    send_transactions(kafka, *(transaction(n, n, customer_id=f"customer-{n}") for n in range(3)))
    with running_job(settings, ruleset="speed"):
        decisions = await_values(kafka, kafka.topics().decisions.name, 3)
        letters = await_values(kafka, kafka.topics().dead_letters.name, 4)
        stop_job(settings)
    assert count_without_limit(decisions) == 0
    # Once each, although two jobs had to do with them.
    assert [letter["topic"] for letter in letters] == [customers] * 4
    reasons = sorted(letter["reason"] for letter in letters)
    assert reasons == ["event_time_in_future", "not_json", "not_json", "not_json"]


def test_what_a_dead_submitter_left_is_ended_and_its_job_started(settings: Settings) -> None:
    kafka, rest = settings.kafka, FlinkRest(settings.flink.rest_url)
    send(kafka, kafka.topics().customers.name, [profile(n) for n in range(100)])
    send_transactions(kafka, *(transaction(n, n, customer_id=f"customer-{n}") for n in range(50)))
    # As it stands when a submitter dies while its priming job reads.
    remember(settings, Remembered(job_id=uuid.uuid4().hex, ruleset="", ruleset_name="speed"))
    name = f"{settings.flink.job_name}-priming"
    words = ["--ruleset", "speed", "--priming", f"{kafka.topic_prefix}left", "--name", name]
    left = run_submission(settings, JOB, words)["job_id"]
    until(lambda: rest.are_tasks_running(left))
    assert rest.active_job(settings.flink.job_name) is None
    restored = restore_if_lost(settings)
    try:
        assert restored is not None
        assert rest.active_job(name) is None
        send_transactions(kafka, transaction(50, 50, customer_id="customer-50"))
        decisions = await_values(kafka, kafka.topics().decisions.name, 51)
        assert restore_if_lost(settings) is None
    finally:
        stop_job(settings)
    assert len(decisions) == 51
    assert count_without_limit(decisions) == 0
    known = remembered(settings)
    assert known is not None
    assert known.origin is not None
