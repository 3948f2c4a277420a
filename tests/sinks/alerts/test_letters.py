from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from importlib import resources

import jsonschema

from sinks.alerts.letters import build_letter
from sinks.alerts.reader import Record
from sinks.alerts.settle import Refused


def test_letter_keeps_the_contract_and_the_original_bytes() -> None:
    refused = Refused(
        record=Record(topic="alerts", partition=2, offset=40, key=b"card-7", value=b"\xff{"),
        reason="not_json",
        detail="the record's value is not JSON",
    )

    letter = json.loads(build_letter(refused, failed_at=datetime(2026, 11, 22, 12, tzinfo=UTC)))

    schema = resources.files("pipelines.contracts").joinpath("dead_letter.v1.json").read_text()
    jsonschema.validate(letter, json.loads(schema))
    assert base64.b64decode(letter.pop("original")) == b"\xff{"
    assert letter == {
        "stage": "alerts",
        "reason": "not_json",
        "detail": "the record's value is not JSON",
        "topic": "alerts",
        "partition": 2,
        "offset": 40,
        "failed_at": "2026-11-22T12:00:00.000Z",
    }


def test_letter_of_a_tombstone_has_no_original() -> None:
    record = Record(topic="alerts", partition=0, offset=1, key=b"card-7", value=None)
    refused = Refused(record=record, reason="empty", detail="no value")

    letter = json.loads(build_letter(refused, failed_at=datetime(2026, 11, 22, tzinfo=UTC)))

    assert letter["original"] is None
