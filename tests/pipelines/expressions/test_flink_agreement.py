"""The Flink form of expressions: one job, against hand-computed values, DuckDB and plain Python.

A Flink job costs seconds and its rows nothing, so all expressions are columns of one query.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from expression_cases import (
    CASES,
    COLUMNS,
    ROWS,
    SENTENCES,
    make_condition,
    make_number,
    make_row,
    sentence_row,
)

from fraudlake.job.submission import CLIENT_OPTIONS
from fraudlake.stack.kernel import build_kernel
from pipelines.expressions.folding import fold
from pipelines.expressions.interpret import evaluate
from pipelines.expressions.parsing import parse_expression
from pipelines.expressions.rendering import render, render_condition
from pipelines.features import load_features
from pipelines.rules import compile_rules, judge, load_ruleset, shipped_rulesets
from pipelines.rules.sentences import parse_sentence, render_sentence, write_sentence

if TYPE_CHECKING:
    from pipelines.expressions.rendering import Dialect
    from pipelines.expressions.tree import Node
    from pipelines.rules import Ruleset

pytestmark = pytest.mark.flink

SEED = 20261123
RANDOM_EXPRESSIONS = 150
RANDOM_ROWS = 120
FEATURES = load_features()
RULE_COLUMNS = FEATURES.columns()


@dataclass(frozen=True)
class Job:
    """What the one job is asked, and what it said: for each row a value for each expression."""

    rows: list[dict[str, Any]]
    random_nodes: list[Node]
    flink: dict[str, list[Any]]
    duckdb: dict[str, list[Any]]


def asked(dialect: Dialect, random_nodes: list[Node]) -> dict[str, str]:
    expressions = {
        f"case {text}": render(parse_expression(text, COLUMNS), dialect) for text, _ in CASES
    }
    expressions["condition"] = render_condition(parse_expression("x > 2", COLUMNS), dialect)
    for text, _, _ in SENTENCES:
        expressions[f"sentence {text}"] = render_sentence(parse_sentence(text, COLUMNS), dialect)
    for n, node in enumerate(random_nodes):
        expressions[f"random {n}"] = render(fold(node), dialect)
    for name in shipped_rulesets():
        expressions.update(asked_of_ruleset(load_ruleset(name, FEATURES), dialect))
    return expressions


def asked_of_ruleset(ruleset: Ruleset, dialect: Dialect) -> dict[str, str]:
    compiled = compile_rules(ruleset, dialect)
    score = compiled.score_sql([f"({rule.fires})" for rule in compiled.rules])
    expressions = {
        f"{ruleset.id} score": score,
        f"{ruleset.id} band": compiled.band_sql(f"({score})"),
    }
    for rule in compiled.rules:
        expressions[f"{ruleset.id} {rule.id} fires"] = rule.fires
        expressions[f"{ruleset.id} {rule.id} observed"] = rule.observed
        expressions[f"{ruleset.id} {rule.id} limit"] = rule.limit
        expressions[f"{ruleset.id} {rule.id} because"] = rule.because
    return expressions


def random_rule_row(rng: random.Random) -> dict[str, Any]:
    # Some rows know little, so that few rules fire: with all known, so many do that all block.
    known = rng.choice((0.05, 0.3, 1.0))
    numbers = (None, 0.0, 1.5, 2.0, 3.0, 50.0, 51.0, 200.0, 200.01, 500.5, 899.5, 900.0, 1200.25)
    return {
        name: rng.choice(numbers if column.type == "number" else (None, "pos", "ecom", "DE"))
        if rng.random() < known
        else None
        for name, column in RULE_COLUMNS.items()
    }


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    rng = random.Random(SEED)
    makers = (make_number, make_condition)
    nodes = [makers[n % 2](rng.choice, 3) for n in range(RANDOM_EXPRESSIONS)]
    rows = [
        *ROWS,
        *(sentence_row(given) for _, given, _ in SENTENCES),
        *(make_row(rng.choice) for _ in range(RANDOM_ROWS)),
    ]
    rows = [{**random_rule_row(rng), **row} for row in rows]
    folder = tmp_path_factory.mktemp("flink")
    return Job(
        rows=rows,
        random_nodes=nodes,
        flink=run_in_flink(asked("flink", nodes), rows, folder),
        duckdb=run_in_duckdb(asked("duckdb", nodes), rows),
    )


def all_columns() -> dict[str, str]:
    return {name: column.type for name, column in {**RULE_COLUMNS, **COLUMNS}.items()}


def run_in_flink(
    expressions: dict[str, str], rows: list[dict[str, Any]], folder: Path
) -> dict[str, list[Any]]:
    types = {"number": "DOUBLE", "text": "STRING"}
    query = {
        "columns": {name: types[kind] for name, kind in all_columns().items()},
        "expressions": list(expressions.values()),
        "kernel": build_kernel().as_uri(),
    }
    lines = [json.dumps({"n": n, **row}) for n, row in enumerate(rows)]
    (folder / "query.json").write_text(json.dumps(query), encoding="utf-8")
    (folder / "rows.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
    program = Path(__file__).with_name("flink_query.py")
    command = [sys.executable, str(program), str(folder)]
    environ = {**os.environ, "JVM_ARGS": CLIENT_OPTIONS}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return {name: [row[i] for row in answer] for i, name in enumerate(expressions)}


def run_in_duckdb(expressions: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    types = {"number": "DOUBLE", "text": "VARCHAR"}
    names = all_columns()
    columns = ", ".join(f'"{name}" {types[kind]}' for name, kind in names.items())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE data (n INTEGER, {columns})")
        marks = ", ".join("?" for _ in range(len(names) + 1))
        values = [(n, *(row[name] for name in names)) for n, row in enumerate(rows)]
        connection.executemany(f"INSERT INTO data VALUES ({marks})", values)
        selected = ", ".join(expressions.values())
        found = connection.execute(f"SELECT {selected} FROM data ORDER BY n").fetchall()
    return {name: [row[i] for row in found] for i, name in enumerate(expressions)}


def test_value_of_each_row_is_the_one_worked_out_by_hand(job: Job) -> None:
    wrong = {
        text: (found, expected)
        for text, expected in CASES
        if (found := job.flink[f"case {text}"][: len(ROWS)]) != expected
        or [type(value) for value in found] != [type(value) for value in expected]
    }
    assert wrong == {}


def test_condition_is_never_null(job: Job) -> None:
    expected = [True, False, False, False, False, True]
    assert job.flink["condition"][: len(ROWS)] == expected


def test_sentence_shows_the_numbers_as_people_round_them(job: Job) -> None:
    found = [
        job.flink[f"sentence {text}"][len(ROWS) + n] for n, (text, _, _) in enumerate(SENTENCES)
    ]
    assert found == [expected for _, _, expected in SENTENCES]


def test_everything_agrees_with_duckdb_on_random_rows(job: Job) -> None:
    assert len(job.flink) > len(CASES) + RANDOM_EXPRESSIONS
    wrong = {
        name: (job.flink[name], found)
        for name, found in job.duckdb.items()
        if job.flink[name] != found
    }
    assert wrong == {}


def test_random_expressions_agree_with_the_interpreter(job: Job) -> None:
    wrong = {
        render(node, "flink"): different
        for n, node in enumerate(job.random_nodes)
        if (different := differences(job, job.flink[f"random {n}"], node))
    }
    assert wrong == {}


def differences(job: Job, found: list[Any], node: Node) -> list[tuple[Any, ...]]:
    expected = [evaluate(node, row) for row in job.rows]
    return [
        (row["x"], row["y"], row["a"], row["b"], f"{here!r}, not {there!r}")
        for row, here, there in zip(job.rows, found, expected, strict=True)
        if here != there
    ]


@pytest.mark.parametrize("name", sorted(shipped_rulesets()))
def test_shipped_rules_score_as_plain_python_does(job: Job, name: str) -> None:
    ruleset = load_ruleset(name, FEATURES)
    judged = [judge(ruleset, row) for row in job.rows]
    assert job.flink[f"{name} score"] == [judgement.score for judgement in judged]
    assert job.flink[f"{name} band"] == [judgement.band for judgement in judged]
    assert len({judgement.band for judgement in judged}) > 1
    for rule in ruleset.evaluated:
        fired = [rule.id in judgement.fired for judgement in judged]
        assert job.flink[f"{name} {rule.id} fires"] == fired
        sentences = [write_sentence(rule.sentence, row) for row in job.rows]
        assert job.flink[f"{name} {rule.id} because"] == sentences
