"""The benchmark of the tables, run small: its figures fit together and with what was asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from bench.lake import day as lake_day
from bench.lake import own_lake
from bench.lake import tables as lake_tables
from bench.lake.day import run_day_benchmark
from bench.lake.tables import run_table_benchmark
from fraudlake.cli import app
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from bench.lake.day import DayOfCommits
    from bench.lake.tables import TableBenchmark

ROWS = 3000
FILE_ROWS = 1000
COMMITS = 6


@pytest.fixture(scope="module")
def tables() -> TableBenchmark:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_lake, "BLOCK_ROWS", FILE_ROWS)
        patch.setattr(lake_tables, "FILE_ROWS", FILE_ROWS)
        patch.setattr(lake_tables, "UPKEEP_EVERY", 3)
        return run_table_benchmark(Settings(), rows=ROWS, commits=COMMITS, seed=7, say=print)


@pytest.fixture(scope="module")
def day() -> DayOfCommits:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_lake, "BLOCK_ROWS", FILE_ROWS)
        patch.setattr(lake_day, "COMMITS", COMMITS)
        return run_day_benchmark(Settings(), seed=7, say=print)


def test_compaction_changes_the_files_and_not_the_rows(tables: TableBenchmark) -> None:
    small, compacted = tables.small_files.figures, tables.compacted.figures

    assert (small.rows, compacted.rows) == (ROWS, ROWS)
    # Each commit is a third of the month, and each day of it a file.
    assert small.partitions == compacted.partitions == compacted.files == lake_tables.DAYS
    assert lake_tables.DAYS <= small.files <= lake_tables.DAYS + ROWS // FILE_ROWS
    assert small.unsorted_files == small.files
    assert compacted.unsorted_files == 0
    assert small.snapshots == ROWS // FILE_ROWS
    assert tables.compaction_s > 0


def test_every_question_was_answered_before_and_after(tables: TableBenchmark) -> None:
    for layout in (tables.small_files, tables.compacted):
        assert layout.answers_ms.keys() == lake_tables.QUESTIONS.keys()
        assert all(0 < ms < 60_000 for ms in layout.answers_ms.values())
        assert 0 < layout.opening_ms < 60_000
    assert tables.commit.commits == COMMITS
    assert min(tables.commit.first_ms, tables.commit.last_ms) > 0


def test_a_day_of_commits_is_as_many_files_before_upkeep_and_one_after(day: DayOfCommits) -> None:
    assert (day.before.rows, day.after.rows) == (COMMITS * lake_day.COMMIT_ROWS,) * 2
    assert day.before.snapshots == COMMITS
    assert day.before.files >= COMMITS
    assert day.after.files == day.after.partitions == day.before.partitions
    assert day.upkeep_s > 0


def test_the_command_shows_what_was_measured(
    tables: TableBenchmark, day: DayOfCommits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    monkeypatch.setattr(lake_tables, "run_table_benchmark", lambda *_, **__: tables)
    monkeypatch.setattr(lake_day, "run_day_benchmark", lambda *_, **__: day)

    shown = CliRunner().invoke(app, ["bench", "lake", "--no-kafka"])
    found = json.loads(CliRunner().invoke(app, ["bench", "lake", "--no-kafka", "--json"]).stdout)

    assert shown.exit_code == 0
    assert "3,000 decisions" in shown.output
    assert f"after {COMMITS}; target 150 ms" in shown.output
    assert found["sink"] is None
    assert found["tables"]["compacted"]["figures"]["rows"] == ROWS
    assert found["day"]["before"]["snapshots"] == COMMITS
