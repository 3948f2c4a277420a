"""The alerts of the benchmark are such as the job writes."""

from __future__ import annotations

from bench.alert_records import make_alerts
from pipelines.contracts import alert as contract
from sinks.alerts.alert import parse_alert


def test_each_record_keeps_the_contract_and_opens_an_alert_of_its_own() -> None:
    records = list(make_alerts(200, seed=3))
    assert len({record.id for record in records}) == len(records) == 200
    for record in records:
        alert = contract.parse_alert(record.value)
        assert (alert.alert_id, alert.sequence) == (record.id, 1)
        assert alert.latest.alert_id == record.id
        assert alert.card_id.encode() == record.key
        features = parse_alert(record.value).latest.features
        assert -90 <= (features["travel_from_latitude"] or 0.0) <= 90


def test_same_seed_makes_the_same_bytes() -> None:
    first, again, other = (list(make_alerts(50, seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other
