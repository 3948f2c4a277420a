"""What the job writes: decisions and alerts, with the original transaction byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from pipelines import contracts
from pipelines.contracts.alert import encode_alert, parse_alert
from pipelines.contracts.decision import Source, encode_decision, parse_decision
from pipelines.contracts.faults import ContractFault

ORIGINAL = '{ "transaction_id":"t1", "amount":19.90, "x":"\\u00e9", "note":"}\\"{" }'
DECISION = (
    '{"decision_id":"' + "a" * 32 + '","transaction":' + ORIGINAL + ',"base_amount":19.90,'
    '"base_currency":"EUR","features":{"tx_count_1h":3,"travel_kmh":null},"score":0.5,'
    '"band":"review","rules_fired":["velocity"],"ruleset":"classic@0123456789ab","model":null,'
    '"is_late":false,"is_duplicate":false,"duplicate_of_offset":null,'
    '"previous_transaction_id":"t0","source":{"topic":"transactions","partition":1,"offset":7},'
    '"decided_at":"2026-03-01T12:00:00.250Z","alert_id":"' + "b" * 32 + '"}'
)
ALERT = (
    '{"alert_id":"' + "b" * 32 + '","sequence":2,"card_id":"c1","customer_id":"u1",'
    '"opened_at":"2026-03-01T11:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z",'
    '"decisions":2,"money_at_risk":39.80,"base_currency":"EUR","score":0.5,"band":"review",'
    '"ruleset":"classic@0123456789ab","rules":[{"id":"velocity","weight":30,"observed":3,'
    '"limit":null,"because":"3 in 10 s"}],"opening":{"decision_id":"' + "c" * 32 + '",'
    '"transaction_id":"t0","event_time":"2026-03-01T11:00:00.000Z"},"latest":' + DECISION + "}"
)


def validator(name: str) -> jsonschema.Draft202012Validator:
    schemas = {
        path.name.removesuffix(".v1.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in Path(contracts.__file__).parent.glob("*.v1.json")
    }
    registry: Registry[Any] = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()]
    )
    return jsonschema.Draft202012Validator(schemas[name], registry=registry)


def test_a_decision_carries_the_original_transaction_byte_for_byte() -> None:
    decision = parse_decision(DECISION.encode())
    assert decision.transaction == ORIGINAL.encode()
    assert decision.features == {"tx_count_1h": 3.0, "travel_kmh": None}
    assert decision.source == Source(topic="transactions", partition=1, offset=7)
    assert ORIGINAL.encode() in encode_decision(decision)


def test_a_decision_reads_back_the_same_and_fits_its_schema() -> None:
    decision = parse_decision(DECISION.encode())
    written = encode_decision(decision)
    assert parse_decision(written) == decision
    validator("decision").validate(json.loads(written))
    assert json.loads(written) == json.loads(DECISION)


def test_an_alert_reads_back_the_same_and_fits_its_schema() -> None:
    alert = parse_alert(ALERT.encode())
    assert alert.latest == parse_decision(DECISION.encode())
    assert [rule.because for rule in alert.rules] == ["3 in 10 s"]
    written = encode_alert(alert)
    assert parse_alert(written) == alert
    validator("alert").validate(json.loads(written))
    assert json.loads(written) == json.loads(ALERT)


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        ('"band":"review"', '"band":"maybe"', "band is 'maybe'"),
        ('"offset":7', '"offset":-7', "source.offset is -7"),
        ('"rules_fired":["velocity"]', '"rules_fired":[5]', "rules_fired.0 is a number"),
        ('"travel_kmh":null', '"travel_kmh":"fast"', "features.travel_kmh is a string"),
        ('"is_late":false', '"is_late":0', "is_late is a number"),
        ('"score":0.5', '"score":-0.5', "score is -0.5"),
        ('"transaction":' + ORIGINAL, '"transaction":[]', "transaction is an array"),
    ],
)
def test_a_decision_that_breaks_its_contract_is_refused(good: str, bad: str, sentence: str) -> None:
    with pytest.raises(ContractFault, match=sentence):
        parse_decision(DECISION.replace(good, bad).encode())


def test_an_alert_without_its_decision_is_refused() -> None:
    with pytest.raises(ContractFault, match="latest is missing"):
        parse_alert(ALERT.replace('"latest"', '"newest"').encode())
