"""Documents that others have had their hands in: what can be read is read, and who is to blame."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.errors import SinkError
from sinks.alerts.alert import FiredRule, parse_alert
from sinks.alerts.document import SCHEMA_VERSION, Origin, draft_document
from sinks.alerts.stored import read_hit
from sinks.alerts.travel import travel_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def hit(make_value: Callable[..., bytes]) -> dict[str, Any]:
    """The example alert as the sink writes it."""
    alert = parse_alert(make_value())
    draft = draft_document(
        alert,
        origin=Origin(topic="alerts", partition=0, offset=0),
        index="fraud-alerts",
        travel=travel_of(alert),
    )
    body = json.loads(draft.at(alert.updated_at).body)
    return {"_index": "i", "_id": "a", "_seq_no": 1, "_primary_term": 1, "_source": body["upsert"]}


@pytest.mark.parametrize(
    "notes",
    [
        [{"text": "hello"}],
        {"text": "hello"},
        [{"text": "hello", "at": None, "by": None, "mood": "good"}],
    ],
)
def test_note_of_another_tool_is_read(hit: dict[str, Any], notes: Any) -> None:
    hit["_source"]["case"]["notes"] = notes

    [note] = read_hit(hit).case.notes

    assert (note.at, note.by, note.text) == (None, None, "hello")


def test_rule_of_a_later_release_is_read_without_what_is_new(hit: dict[str, Any]) -> None:
    rule = {"id": "r", "weight": 0.5, "because": "so", "limit": 3.0, "colour": "red"}
    hit["_source"]["fraud"]["rules"] = [rule]

    assert read_hit(hit).rules == (FiredRule(id="r", weight=0.5, limit=3.0, because="so"),)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (SCHEMA_VERSION + 1, "a later release wrote it; run that one"),
        (SCHEMA_VERSION - 1, "an older release wrote it, or another tool has changed it"),
        (SCHEMA_VERSION, "another tool has changed it"),
        (None, "another tool wrote it; delete it, or put it right"),
        ("4", "another tool wrote it; delete it, or put it right"),
    ],
)
def test_who_may_have_written_it_goes_by_its_version(
    hit: dict[str, Any], written: Any, said: str
) -> None:
    hit["_source"]["sink"]["schema_version"] = written
    del hit["_source"]["case"]["status"]

    with pytest.raises(SinkError, match="document a of i cannot be read: KeyError") as refused:
        read_hit(hit)

    assert str(refused.value).endswith(said) or said in str(refused.value)
    if written == SCHEMA_VERSION + 1:
        assert "older release" not in str(refused.value)


@pytest.mark.parametrize("sink", [None, "odd"])
def test_document_without_a_sink_is_named_all_the_same(hit: dict[str, Any], sink: Any) -> None:
    hit["_source"] = {"sink": sink}

    with pytest.raises(SinkError, match=r"document a of i cannot be read.*no schema version"):
        read_hit(hit)
