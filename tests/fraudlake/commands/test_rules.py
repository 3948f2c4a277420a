"""``fraudlake rules``: what an analyst sees of a rule file, right and wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines import rules
from pipelines.errors import RulesetError

RUNNER = CliRunner()
CLASSIC = Path(rules.__file__).parents[1] / "rulesets" / "classic.toml"


def test_shipped_rule_sets_and_their_examples_are_right() -> None:
    listed = json.loads(RUNNER.invoke(app, ["rules", "list", "--json"]).stdout)
    assert {"classic", "speed"} <= {item["id"] for item in listed}
    for item in listed:
        result = RUNNER.invoke(app, ["rules", "check", item["id"]])
        assert result.exit_code == 0, result.stdout
        assert item["version"] in result.stdout


def test_an_example_that_does_not_hold_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    text = CLASSIC.read_text().replace(
        "base_amount = 200.01 }\nfires = true", "base_amount = 1 }\nfires = true"
    )
    assert text != CLASSIC.read_text()
    wrong.write_text(text)
    result = RUNNER.invoke(app, ["rules", "check", str(wrong)])
    assert result.exit_code == 1
    assert 'rule high_amount does not fire on its example {"base_amount": 1.0}' in result.stdout


def test_an_unknown_rule_set_gets_the_nearest_name() -> None:
    with pytest.raises(RulesetError, match="did you mean speed"):
        RUNNER.invoke(app, ["rules", "show", "spede"], catch_exceptions=False)


def test_show_prints_conditions_or_the_sql_of_an_engine() -> None:
    plain = RUNNER.invoke(app, ["rules", "show", "classic"]).stdout
    assert "travel_km > 500 and travel_gap_min <= 2" in plain
    flink = RUNNER.invoke(app, ["rules", "show", "classic", "--sql", "flink"]).stdout
    assert "`travel_km`" in flink
    duckdb = RUNNER.invoke(app, ["rules", "show", "classic", "--sql", "duckdb"]).stdout
    assert '"travel_km"' in duckdb
