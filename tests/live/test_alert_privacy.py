"""No card number and no customer's name reaches the alert index or a log.

What a payment system sends beside the contract is kept with the original bytes: in the topics, in
dead letters and in the lakehouse. From there it must not get to where investigators, dashboards
and whoever reads logs would see it.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from alert_index import fill
from alert_runs import (
    alert_id,
    await_true,
    indexed_ids,
    make_alert,
    read_dead_letters,
    running_process,
    send,
)
from case_work import read_labels
from pipeline_runs import await_values, read_raw, read_values, running_job
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.stack.home import Home
from pipelines.errors import TerminalError
from pipelines.generator import GeneratorOptions, generate
from pipelines.pacing import Pace
from pipelines.producer import produce
from pipelines.sender import KafkaSender
from sinks.alerts.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.generator.emission import Emission
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TRANSACTIONS = 1_500
SEED = 20_261_127
SPAN_MS = 1_800_000
NAMES = ("Ottilie Brandauer", "Aurelio Quintavalle", "Þórhildur Ægisdóttir")
# Numbers that card schemes publish for tests, of 13 to 19 digits.
CARD_NUMBERS = (
    "4222222222222",
    "36227206271667",
    "378282246310005",
    "4111111111111111",
    "5105 1051 0510 5100",
    "6304000000000000000",
)
# A second opinion, so that what the commands refuse is not judged by their own eyes: whatever has
# the length and the check digit, wherever it stands. What the test knows to be no card number is
# taken out before: ids; moments, which fill logs, in milliseconds or less; fractions; file names.
_DIGITS = re.compile(r"(?<!\d)\d{13,19}(?!\d)")
_GROUPS = re.compile(r"(?<!\d)\d{4}([ ./_-])\d{4}\1\d{4}\1\d{1,7}(?!\d)")
_KNOWN = re.compile(
    r"(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])"
    r"|(?<![0-9a-z])[a-z]_(?=[0-9]*[a-f])[0-9a-f]{10,16}(?![0-9a-z])"  # t_19e0699536255754
    r"|(?<!\d)1[78]\d{11}(?:\d{3}|\d{6})?(?!\d)"
    r"|\d\.\d+(?:e-?\d+)?"
    r"|jaas-\d+"  # a file of Flink's, by a random number
)


def find_private(text: str) -> set[str]:
    """Everything in ``text`` that looks like a card number or is somebody's name."""
    runs = {found.group() for found in _DIGITS.finditer(_KNOWN.sub("-", text))}
    runs |= {found.group() for found in _GROUPS.finditer(text)}
    words = {word for name in NAMES for word in name.split() if word.lower() in text.lower()}
    return {run for run in runs if passes_luhn(run)} | words


def passes_luhn(text: str) -> bool:
    digits = [int(digit) for digit in text if digit.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def test_the_search_for_card_numbers_finds_them() -> None:
    text = json.dumps({"holder": NAMES[0], "numbers": CARD_NUMBERS, "at": 1_764_216_113_123})
    assert find_private(text) == {*CARD_NUMBERS, "Ottilie", "Brandauer"}
    assert find_private(f"pan{CARD_NUMBERS[3]}eur _{CARD_NUMBERS[0]}") == set(CARD_NUMBERS[0:4:3])
    for sign in " .-/_":
        grouped = sign.join(["4111"] + ["1111"] * 3)
        assert find_private(f"({grouped})") == {grouped}
    assert find_private(f"4111111111111112 0.4111111111111111 {alert_id(4)}") == set()
    # An id of the generator's, thirteen digits of which have a right check digit.
    assert find_private("t_19e0699536255754") == set()
    assert find_private(f"t_{CARD_NUMBERS[3]}") == {CARD_NUMBERS[3]}


def add_private(emissions: Iterator[Emission]) -> Iterator[Emission]:
    """Customers with names; transactions that bring a holder and a card number along."""
    people = itertools.cycle(zip(NAMES * 2, CARD_NUMBERS, strict=True))
    for emission in emissions:
        name, number = next(people)
        more: dict[str, object] = {}
        if emission.kind == "customer":
            more = {"name": name}
        elif emission.kind == "transaction":
            more = {"holder": {"name": name, "pan": number}, "remark": f"{name}, {number}"}
            if number.isdigit():
                more["pan_as_number"] = int(number)
        value = json.loads(emission.value or b"null") | more
        yield dataclasses.replace(emission, value=json.dumps(value, ensure_ascii=False).encode())


def test_no_card_number_and_no_name_gets_into_the_index_or_a_log(
    settings: Settings, tmp_path: Path
) -> None:
    logs = [*Home(path=settings.stack.home).logs.glob("*.log")]
    already = {log: log.stat().st_size for log in logs}
    options = GeneratorOptions(
        seed=SEED,
        start_ms=time.time_ns() // 1_000_000 - SPAN_MS,
        cards=200,
        rate=TRANSACTIONS / (SPAN_MS / 1000),
        fraud_rate=0.05,
        count=TRANSACTIONS,
    )
    sinks = {name: tmp_path / f"{name}.log" for name in ("alerts", "lakehouse")}
    topics = settings.kafka.topics()
    with (
        running_job(settings, ruleset="classic"),
        running_process(settings, sinks["alerts"]),
        running_process(settings, sinks["lakehouse"], name="lakehouse"),
    ):
        produced = produce(
            add_private(generate(options)),
            KafkaSender(settings.kafka),
            topics,
            pace=Pace(speed=None, clock=time.monotonic),
        )
        assert produced.transactions == TRANSACTIONS
        send_broken(settings)
        await_values(settings.kafka, topics.decisions.name, TRANSACTIONS)
        await_values(settings.kafka, topics.dead_letters.name, len(CARD_NUMBERS) * 2)
        told = {alert["alert_id"] for alert in read_values(settings.kafka, topics.alerts.name)}
        good = told - {alert_id(number) for number in range(len(CARD_NUMBERS))}
        await_true(lambda: set(indexed_ids(settings)) == good, "every alert in the index")

    documents = read_documents(settings)
    assert len(documents) > 10, "too few alerts to say anything"
    for document in documents:
        assert find_private(document) == set(), document
    for log in (*sinks.values(), *already):
        text = log.read_bytes()[already.get(log, 0) :].decode(errors="replace")
        assert find_private(text) == set(), log.name
    assert b"event=dead_letter " in sinks["alerts"].read_bytes()
    # They were really there, in the alerts, too.
    for topic in (topics.transactions.name, topics.alerts.name):
        sent = b"\n".join(read_raw(settings.kafka, topic)).decode()
        assert find_private(sent) >= {*CARD_NUMBERS, *NAMES[0].split()}, topic
    assert len(read_dead_letters(settings)) == len(CARD_NUMBERS) * 2


def test_no_card_number_gets_into_the_index_or_a_label_by_what_people_write(
    settings: Settings,
) -> None:
    fill(settings, 1)
    before = read_documents(settings)
    hidden = ("pan4111111111111111eur", "4111.1111.1111.1111", "4111_1111_1111_1111")
    for number in (*CARD_NUMBERS, *hidden):
        text = f"{NAMES[0]} reads {number} to me"
        for command in (
            ["note", alert_id(0), text],
            ["note", alert_id(0), "called", "--by", text],
            ["assign", alert_id(0), number],
            ["verdict", alert_id(0), "fraud", "--reason", text],
        ):
            ended = CliRunner().invoke(app, ["alerts", *command], env=settings.to_env())
            assert isinstance(ended.exception, TerminalError), command
            said = ended.output + str(ended.exception)
            assert "looks like a card number" in said
            assert find_private(said) == set()

    assert read_documents(settings) == before
    assert read_labels(settings) == []


def send_broken(settings: Settings) -> None:
    """Transactions and alerts that are refused, for a field that holds a card number."""
    producer = KafkaSender(settings.kafka)
    for number, text in enumerate(CARD_NUMBERS):
        alert = make_alert(number, 1)
        alert["latest"]["transaction"]["amount"] = f"EUR {text}"  # as a bare number it would do
        send(settings, alert)
        transaction = {**alert["latest"]["transaction"], "currency": text}
        topic = settings.kafka.topics().transactions.name
        producer.send(topic, b"card", json.dumps(transaction).encode())
    producer.flush()


def read_documents(settings: Settings) -> list[str]:
    """Every document of the index, as JSON."""
    elasticsearch = settings.elasticsearch
    with connect(elasticsearch) as client:
        client.indices.refresh(index=elasticsearch.index)
        found = client.search(index=elasticsearch.index, size=10_000)
    return [json.dumps(hit["_source"], ensure_ascii=False) for hit in found["hits"]["hits"]]
