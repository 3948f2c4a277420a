"""``fraudlake rules``: what is listed, what a check says, and SQL that an engine accepts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest
from typer.testing import CliRunner, Result

from fraudlake.cli import app
from pipelines.errors import RulesetError
from pipelines.published_rules import publish
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """[ruleset]
id = "mine"
combine = "sum"
review_at = 40
block_at = 70
[[rule]]
id = "big"
owner = "risk"
state = "active"
weight = 40
when = "base_amount > 200 and kind <> 'refund'"
because = "{base_amount:.2f} [spent]"
[[rule.example]]
given = { base_amount = 201 }
fires = true
[[rule.example]]
given = { base_amount = 201, kind = "refund" }
fires = false
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["rules", *words])


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_record_makes_up_for_what_the_table_lacks_and_then_says_that_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    assert run("record").stdout == "nothing is missing: 0 rule sets kept here, all recorded\n"
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    version = publish(Settings.from_env(), ruleset="speed", now=now).published.version

    assert run("record").stdout == f"{version} is recorded\n"
    assert run("record").stdout == "nothing is missing: 1 rule set kept here, all recorded\n"
    assert json.loads(run("record", "--json").stdout) == {"added": [], "kept": 1, "rows": 1}


def test_list_names_the_shipped_sets_with_their_versions() -> None:
    listed = json.loads(run("list", "--json").stdout)
    assert [item["id"] for item in listed] == ["baseline", "classic", "speed"]
    assert [(rule["id"], rule["state"]) for rule in listed[1]["rules"]] == [
        ("high_amount", "active"),
        ("rapid_use", "active"),
        ("far_jump", "active"),
    ]
    shown = run("list").stdout
    assert all(item["version"] in shown for item in listed)


def test_good_file_passes_its_check(tmp_path: Path) -> None:
    result = run("check", write(tmp_path, GOOD))
    assert result.exit_code == 0
    assert "1 rule, 2 examples hold" in result.stdout
    answer = json.loads(run("check", write(tmp_path, GOOD), "--json").stdout)
    assert (answer["ok"], answer["faults"]) == (True, [])
    assert answer["version"].startswith("mine@")


def test_every_fault_is_shown_whole_and_the_check_fails(tmp_path: Path) -> None:
    text = GOOD.replace("base_amount > 200", "base_amout > 200").replace("active", "actve")
    faults = [
        "mine.toml line 9: state='actve' must be one of draft, shadow, active, paused"
        " - did you mean active?",
        "mine.toml line 11: when unknown column base_amout - did you mean base_amount?",
    ]
    result = run("check", write(tmp_path, text))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [f"✗ {fault}" for fault in faults]
    result = run("check", write(tmp_path, text), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"ok": False, "faults": faults, "hints": []}


def test_example_that_does_not_hold_fails_the_check(tmp_path: Path) -> None:
    result = run("check", write(tmp_path, GOOD.replace("{ base_amount = 201 }", "{ amount = 5 }")))
    assert result.exit_code == 1
    assert result.stdout == (
        '✗ mine.toml line 13: rule big does not fire on its example {"amount": 5.0}\n'
    )


def test_rule_without_examples_passes_with_a_hint(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.split("[[rule.example]]", maxsplit=1)[0])
    result = run("check", path)
    assert result.exit_code == 0
    assert "! rule big has no example of each kind" in result.stdout
    [hint] = json.loads(run("check", path, "--json").stdout)["hints"]
    assert f"! {hint}" in result.stdout.splitlines()


def test_name_that_is_no_file_is_an_error_with_a_hint() -> None:
    for command in ("check", "show"):
        result = run(command, "clasic")
        assert isinstance(result.exception, RulesetError)
        assert "did you mean classic?" in str(result.exception)


def test_rules_are_shown_as_written(tmp_path: Path) -> None:
    shown = run("show", write(tmp_path, GOOD)).stdout
    for part in ("big", "base_amount > 200 and kind <> 'refund'", "{base_amount:.2f} [spent]"):
        assert part in shown


@pytest.mark.parametrize(
    ("amount", "answer"),
    [(201.0, (True, 201.0, 200.0, "201.00 [spent]", 40.0, "review")), (None, None)],
)
def test_shown_sql_runs_in_duckdb(
    tmp_path: Path, amount: float | None, answer: tuple[object, ...] | None
) -> None:
    sql = run("show", write(tmp_path, GOOD), "--sql", "duckdb").stdout
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {sql} FROM (SELECT ?::DOUBLE AS base_amount, 'purchase' AS kind)", [amount]
        ).fetchone()
    expected = answer or (False, None, 200.0, "? [spent]", 0.0, "allow")
    assert found == expected


def test_json_has_the_rules_their_sql_and_the_plan_of_the_stages() -> None:
    shown = json.loads(run("show", "speed", "--json", "--sql", "flink").stdout)
    (rule,) = shown["rules"]
    assert rule["columns"] == [
        "customer_max_speed_kmh",
        "travel_gap_min",
        "travel_km",
        "travel_kmh",
    ]
    assert rule["sql"]["limit"] == "COALESCE(`customer_max_speed_kmh`, 900.0e0)"
    assert [stage["entity"] for stage in shown["stages"]] == ["customer", "card"]
    assert "sql" not in json.loads(run("show", "speed", "--json").stdout)["rules"][0]
