"""``fraudlake job plan``: what a rule set makes of the job, and what cannot be planned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from fraudlake.cli import app
from pipelines.errors import RulesetError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["job", "plan", *words])


def test_only_the_stages_and_features_that_rules_use_are_planned() -> None:
    classic = json.loads(run("--ruleset", "classic", "--json").stdout)
    assert [(stage["stage"], stage["looks_back"]) for stage in classic["stages"]] == [
        ("card", "10 s"),
        ("judgement", "1 d"),
    ]
    named = ["card_count_10s", "travel_km", "travel_gap_min"]
    ends = ["travel_from_latitude", "travel_from_longitude"]  # they come with the others
    assert classic["stages"][0]["features"] == [*named, *ends]
    assert classic["reads"] == ["transactions"]
    speed = json.loads(run("--ruleset", "speed", "--json").stdout)
    assert [stage["key"] for stage in speed["stages"]] == ["customer_id", "card_id", "card_id"]
    assert speed["reads"] == ["transactions", "customers"]


def test_people_see_the_rules_counted_and_the_features_named() -> None:
    shown = run("--ruleset", "baseline").stdout
    assert "31 active, 1 shadow" in shown
    assert "reads transactions, customers, labels;" in shown
    assert "card_since_last_min" in shown
    assert "writes decisions, alerts, dead-letters" in shown


def test_the_statement_is_the_one_the_job_runs() -> None:
    shown = run("--ruleset", "classic", "--sql").stdout
    assert "INSERT INTO outbox" in shown
    assert "uid => 'judgement'" in shown


def test_what_cannot_be_planned_is_refused_with_its_line(tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text(
        '[ruleset]\nid = "mine"\ncombine = "sum"\nreview_at = 1\nblock_at = 2\n'
        '[[rule]]\nid = "a"\nowner = "me"\nstate = "active"\nweight = 1\n'
        'when = "card_cont_10s > 3"\nbecause = "so"\n'
    )
    result = run("--ruleset", str(rules))
    assert isinstance(result.exception, RulesetError)
    assert "mine.toml line 11" in str(result.exception)
    assert "did you mean card_count_10s?" in str(result.exception)
