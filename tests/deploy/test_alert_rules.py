"""The example rules for Prometheus ask for metrics that docs/job.md names, at preferred ports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fraudlake.stack.flink_metrics import preferred_metrics_ports
from pipelines.settings import StackSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
DOCUMENTED = (ROOT / "docs" / "job.md").read_text()
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0][
    "rules"
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_rule_asks_for_documented_metrics_and_says_what_it_found(rule: dict[str, Any]) -> None:
    names = re.findall(r"\bflink_\w+", rule["expr"])
    assert names
    for name in names:
        short = re.sub(r"^flink_(taskmanager_job_task_operator|jobmanager_job)_", "", name)
        assert short in DOCUMENTED, name
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"critical", "warning"}


def test_what_the_job_must_alarm_about_has_a_rule() -> None:
    asked = " ".join(rule["expr"] for rule in RULES)
    for name in ("failedCommittables", "numRestarts", "CheckpointCompleted", "pendingRecords"):
        assert name in asked
    assert "dead_letters" in asked


def test_example_scrapes_the_ports_that_the_stack_prefers() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    (targets,) = [item["targets"] for item in config["scrape_configs"][0]["static_configs"]]
    ports = preferred_metrics_ports(StackSettings())
    assert targets == [f"127.0.0.1:{port}" for port in ports.values()]
    assert config["rule_files"] == ["alerts.yml"]
