"""What the job decides on a few transactions whose right answers were worked out by hand."""

from __future__ import annotations

import base64
import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pipeline_runs import await_values, read_raw, running_job

from fraudlake.job.start import submit_job
from fraudlake.job.stop import stop_job
from pipelines.contracts.alert import parse_alert
from pipelines.contracts.decision import parse_decision
from pipelines.ids import alert_id, decision_id
from pipelines.kafka import connect_producer

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import KafkaSettings, Settings

pytestmark = pytest.mark.live

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
BERLIN = {"latitude": 52.52, "longitude": 13.405}
PARIS = {"latitude": 48.8566, "longitude": 2.3522}
# Great-circle distance Berlin - Paris by these coordinates, from a published calculator: 877.5 km.
BERLIN_PARIS_KM = 877.5


def at(seconds: float) -> str:
    moment = NOW + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def transaction(number: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "transaction_id": f"t{number}",
        "event_time": at(seconds),
        "card_id": "card-1",
        "customer_id": "customer-1",
        "merchant_id": "merchant-1",
        "merchant_category": "5411",
        "amount": 10.0,
        "currency": "EUR",
        "channel": "pos",
        **BERLIN,
        **more,
    }


def send(kafka: KafkaSettings, topic: str, records: list[tuple[str, bytes]]) -> None:
    producer = connect_producer(kafka)
    for key, value in records:
        producer.produce(topic, key=key.encode(), value=value)
    assert producer.flush(30) == 0


def send_transactions(kafka: KafkaSettings, *transactions: dict[str, Any]) -> None:
    records = [(item["card_id"], json.dumps(item).encode()) for item in transactions]
    send(kafka, kafka.topics().transactions.name, records)


def decisions_by_id(kafka: KafkaSettings, count: int) -> dict[str, dict[str, Any]]:
    values = await_values(kafka, kafka.topics().decisions.name, count)
    return {value["transaction"]["transaction_id"]: value for value in values}


def test_classic_rules_fire_exactly_where_they_should(settings: Settings) -> None:
    kafka = settings.kafka
    with running_job(settings, ruleset="classic"):
        send_transactions(
            kafka,
            transaction(1, 0),
            # 250 USD at 0.92 are 230.00 EUR, above 200: weight 40, review.
            transaction(2, 300, amount=250, currency="USD"),
            # 217.39 USD are 199.9988 EUR, 200.00 rounded: not above 200.
            transaction(3, 600, amount=217.39, currency="USD"),
            # Three within ten seconds, (t - 10 s, t]: the third fires rapid_use (30), only allow.
            transaction(4, 900),
            transaction(5, 905),
            transaction(6, 909.999),
            # 910 is exactly ten seconds after the first, which has left: 905, 909.999, 910 are 3.
            transaction(7, 910),
            # 877 km within 119 s of the last place: far_jump (50), review.
            transaction(8, 1029, **PARIS),
            # Back after 121 s: the gap is over two minutes, no rule.
            transaction(9, 1150),
            # Jump and high amount together: 50 + 40 = 90, block.
            transaction(10, 1210, amount=500, **PARIS),
        )
        found = decisions_by_id(kafka, 10)
        alerts = await_values(kafka, kafka.topics().alerts.name, 3)
    assert {name: (item["score"], item["band"]) for name, item in found.items()} == {
        "t1": (0, "allow"),
        "t2": (40, "review"),
        "t3": (0, "allow"),
        "t4": (0, "allow"),
        "t5": (0, "allow"),
        "t6": (30, "allow"),
        "t7": (30, "allow"),
        "t8": (50, "review"),
        "t9": (0, "allow"),
        "t10": (90, "block"),
    }
    assert found["t10"]["rules_fired"] == ["high_amount", "far_jump"]
    assert found["t2"]["base_amount"] == 230.0
    assert found["t8"]["features"]["travel_km"] == pytest.approx(BERLIN_PARIS_KM, abs=0.5)
    assert found["t8"]["features"]["travel_gap_min"] == pytest.approx(119 / 60)
    assert found["t8"]["previous_transaction_id"] == "t7"

    # All within 24 hours of t2: one alert, three revisions. 230, then 10 more, then 500 more.
    opened = alert_id(card_id="card-1", transaction_id="t2")
    assert {item["alert_id"] for item in (*alerts, *found.values())} == {opened, None}
    assert [
        (item["sequence"], item["decisions"], item["money_at_risk"], item["score"], item["band"])
        for item in alerts
    ] == [(1, 1, 230, 40, "review"), (2, 2, 240, 50, "review"), (3, 3, 740, 90, "block")]
    alert = alerts[-1]
    assert alert["opening"] == {
        "decision_id": found["t2"]["decision_id"],
        "transaction_id": "t2",
        "event_time": at(300),
    }
    assert (alert["opened_at"], alert["updated_at"]) == (at(300), at(1210))
    assert [(rule["id"], rule["limit"]) for rule in alert["rules"]] == [
        ("high_amount", 200),
        ("far_jump", 500),
    ]
    # A rule that fired again gives its newest reason.
    assert alert["rules"][0]["because"] == "500.00 in one transaction (limit 200.00)"
    assert [item["latest"] for item in alerts] == [found["t2"], found["t8"], found["t10"]]
    # The records keep the contracts that everything behind the job reads.
    assert parse_decision(json.dumps(found["t10"]).encode()).band == "block"
    assert parse_alert(json.dumps(alert).encode()).sequence == 3


def test_decisions_carry_the_original_bytes_and_know_their_source(settings: Settings) -> None:
    kafka = settings.kafka
    # Odd layout, a number with a zero too many, escapes, a member twice: nothing is written anew.
    members = json.dumps({**transaction(1, 0), "extra": {"é": [1, None]}}, indent=1)[1:-1]
    value = f'{{ "amount" : 1.0, "x": 1.50e0 ,"\\u0041\\/":"\\u00e9",{members}\t}}'.encode()
    with running_job(settings, ruleset="classic"):
        send(kafka, kafka.topics().transactions.name, [("card-1", value)])
        (decision,) = await_values(kafka, kafka.topics().decisions.name, 1)
        (raw,) = read_raw(kafka, kafka.topics().decisions.name)
    assert b'"transaction":' + value + b"," in raw
    assert decision["base_amount"] == 10  # of two amounts the last one counts
    source = decision["source"]
    assert source["topic"] == kafka.topics().transactions.name
    assert source["offset"] == 0
    assert decision["decision_id"] == decision_id(**source)


def test_late_and_repeated_transactions_are_marked_and_change_nothing(settings: Settings) -> None:
    kafka = settings.kafka
    with running_job(settings, ruleset="classic"):
        send_transactions(
            kafka,
            transaction(1, 0),
            transaction(2, 100),
            transaction(1, 200, amount=900),  # a repeat by id: not judged again
            transaction(3, 95),  # late: five seconds before the newest
            transaction(4, 101),
        )
        values = await_values(kafka, kafka.topics().decisions.name, 5)
    repeat = next(item for item in values if item["is_duplicate"])
    assert repeat["duplicate_of_offset"] == 0
    assert (repeat["score"], repeat["band"], repeat["alert_id"]) == (0, "allow", None)
    assert set(repeat["features"].values()) == {None}
    late = next(item for item in values if item["transaction"]["transaction_id"] == "t3")
    assert late["is_late"]
    assert late["features"]["card_count_10s"] == 1  # of its own time: the newest is still to come
    after = next(item for item in values if item["transaction"]["transaction_id"] == "t4")
    assert not after["is_late"]
    assert after["features"]["card_count_10s"] == 3  # 95, 100 and 101; the repeat left no trace


def test_customers_own_limit_decides_and_survives_a_restart(settings: Settings) -> None:
    kafka = settings.kafka
    # 877.5 km in one hour: within an airliner's 900 km/h, far above a driver's 150.
    journey = [
        transaction(1, 0),
        transaction(2, 3600, **PARIS),
        transaction(3, 0, card_id="card-2", customer_id="customer-2"),
        transaction(4, 3600, card_id="card-2", customer_id="customer-2", **PARIS),
    ]
    profile = {"customer_id": "customer-2", "updated_at": at(0), "max_speed_kmh": 150}
    with running_job(settings, ruleset="speed"):
        send(kafka, kafka.topics().customers.name, [("customer-2", json.dumps(profile).encode())])
        # The profile is known once a transaction of the customer shows it.
        probes = 0
        deadline = time.monotonic() + 120
        while True:
            probe = transaction(100 + probes, -9000, card_id="card-3", customer_id="customer-2")
            send_transactions(kafka, probe)
            probes += 1
            shown = await_values(kafka, kafka.topics().decisions.name, probes)
            limits = {item["features"]["customer_max_speed_kmh"] for item in shown}
            if 150 in limits:
                break
            assert time.monotonic() < deadline, "the profile never arrived"
        send_transactions(kafka, journey[0], journey[2])
        decisions_by_id(kafka, probes + 2)
        stop_job(settings)
        submit_job(settings, ruleset="speed")
        send_transactions(kafka, journey[1], journey[3])
        found = decisions_by_id(kafka, probes + 4)
    assert found["t2"]["features"]["travel_kmh"] == pytest.approx(BERLIN_PARIS_KM, abs=0.5)
    assert found["t2"]["features"]["customer_max_speed_kmh"] is None
    assert (found["t2"]["score"], found["t2"]["band"]) == (0, "allow")
    assert found["t4"]["features"]["customer_max_speed_kmh"] == 150
    assert (found["t4"]["score"], found["t4"]["band"]) == (0.9, "block")


def test_bad_records_become_dead_letters_and_their_neighbours_are_decided(
    settings: Settings,
) -> None:
    kafka = settings.kafka
    good = transaction(1, 0)

    def without(field: str) -> bytes:
        return json.dumps({name: item for name, item in good.items() if name != field}).encode()

    def having(**changes: Any) -> bytes:
        return json.dumps({**good, **changes}).encode()

    future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    bad = {
        "not_json": b'{"transaction_id": "t',
        "not_an_object": b"[1, 2]",
        "empty": b"",
        "missing_field": without("card_id"),
        "wrong_type": having(amount="12"),
        "unknown_value": having(channel="fax"),
        "out_of_range": having(latitude=90.5),
        "bad_time": having(event_time="2026-02-30T00:00:00Z"),
        "bad_format": having(merchant_category="54"),
        "unknown_currency": having(currency="XXX"),
        "event_time_in_future": having(event_time=future),
    }
    records = [("card-1", json.dumps(good).encode())]
    records += [("card-1", value) for value in bad.values()]
    records += [("card-1", having(amount=-1)), ("card-1", json.dumps(transaction(2, 1)).encode())]
    with running_job(settings, ruleset="classic"):
        send(kafka, kafka.topics().transactions.name, records)
        letters = await_values(kafka, kafka.topics().dead_letters.name, len(bad) + 1)
        found = decisions_by_id(kafka, 2)
    assert set(found) == {"t1", "t2"}
    reasons = {letter["offset"]: letter["reason"] for letter in letters}
    expected = dict(enumerate([*bad, "out_of_range"], start=1))
    assert reasons == expected
    originals = {letter["offset"]: letter["original"] for letter in letters}
    for offset, (_, value) in enumerate(records):
        if offset in expected:
            assert base64.b64decode(originals[offset]) == value


def test_shadow_rules_are_recorded_and_never_count(settings: Settings, tmp_path: Path) -> None:
    kafka = settings.kafka
    rules = tmp_path / "trial.toml"
    rules.write_text(
        """
        [ruleset]
        id = "trial"
        combine = "sum"
        review_at = 1
        block_at = 2

        [[rule]]
        id = "large"
        owner = "card-risk"
        state = "shadow"
        weight = 5
        when = "base_amount > 100"
        because = "{base_amount:.2f} spent"
        """
    )
    with running_job(settings, ruleset=str(rules)):
        send_transactions(kafka, transaction(1, 0, amount=100), transaction(2, 1, amount=101))
        found = decisions_by_id(kafka, 2)
    assert [found[name]["rules_fired"] for name in ("t1", "t2")] == [[], ["large"]]
    for decision in found.values():
        assert (decision["score"], decision["band"], decision["alert_id"]) == (0, "allow", None)


def test_an_alert_is_forgotten_a_day_after_its_window(settings: Settings) -> None:
    kafka, old_s = settings.kafka, -20 * 86_400.0
    with running_job(settings, ruleset="classic"):
        send_transactions(kafka, transaction(1, old_s, amount=500))
        opened = decisions_by_id(kafka, 1)["t1"]["alert_id"]
        # Time goes on in every partition: ten days.
        others = [transaction(n, old_s / 2, card_id=f"card-{n}") for n in range(2, 42)]
        send_transactions(kafka, *others)
        # Late by all of that, within the window of the alert: it joins until the job has heard.
        deadline = time.monotonic() + 120
        for number in itertools.count(42):
            send_transactions(kafka, transaction(number, old_s + number, amount=500))
            found = decisions_by_id(kafka, number)[f"t{number}"]["alert_id"]
            if found != opened:
                break
            assert time.monotonic() < deadline, "the alert is still there"
        revisions = await_values(kafka, kafka.topics().alerts.name, number - 40)
    assert found == alert_id(card_id="card-1", transaction_id=f"t{number}")
    assert [item["sequence"] for item in revisions if item["alert_id"] == found] == [1]
