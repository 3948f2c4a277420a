from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from sinks.dashboards.alerting import alerting_rules

if TYPE_CHECKING:
    from pipelines.settings import Settings


def by_name(settings: Settings, **limits: Any) -> dict[str, Any]:
    changed = dataclasses.replace(settings.kibana, **limits)
    return {rule.name: rule for rule in alerting_rules(changed)}


@pytest.mark.parametrize(
    ("name", "count", "calls"),
    [
        ("critical-open", 0, False),
        ("critical-open", 1, True),
        ("grown", 0, False),
        ("grown", 1, True),
        ("spike", 200, False),
        ("spike", 201, True),
        ("silence", 1, False),
        ("silence", 0, True),
    ],
)
def test_rule_calls_beyond_its_limit_only(
    settings: Settings, name: str, count: int, calls: bool
) -> None:
    assert by_name(settings)[name].calls(count) is calls


def test_limits_come_from_the_settings_and_ids_stay(settings: Settings) -> None:
    usual = by_name(settings)
    other = by_name(settings, critical_minutes=5, spike_alerts=7, silence_minutes=30)

    assert {rule.id for rule in other.values()} == {rule.id for rule in usual.values()}
    assert other["critical-open"].title == "Fraud: blocked and open for more than 5 minutes"
    assert '"lte": "now-5m"' in other["critical-open"].to_json("i")["params"]["esQuery"]
    assert other["spike"].to_json("i")["params"]["threshold"] == [7]
    silence = other["silence"].to_json("i")["params"]
    assert (silence["timeWindowSize"], silence["timeWindowUnit"]) == (30, "m")
    assert (silence["thresholdComparator"], silence["threshold"]) == ("<", [1])


def test_query_is_text_that_elasticsearch_reads(settings: Settings) -> None:
    for rule in by_name(settings).values():
        params = rule.to_json("eu-alerts")["params"]
        assert json.loads(params["esQuery"]) == {"query": rule.query}
        assert (params["index"], params["timeField"]) == (["eu-alerts"], "event.ingested")
