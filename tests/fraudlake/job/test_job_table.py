"""The table of ``job status``: nothing is left out without a word."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from fraudlake.job.facts import JobFacts
from fraudlake.job.table import Look, render_job
from pipelines.flink import Checkpoints, Job
from pipelines.job_figures import JobFigures

FACTS = JobFacts(
    job=Job(job_id="a" * 32, name="fraud", state="RUNNING", started_ms=0, duration_ms=3_661_000),
    ruleset="classic@1",
    checkpoints=Checkpoints(
        completed=3,
        failed=0,
        restored=0,
        latest_ms=None,
        latest_bytes=None,
        latest_duration_ms=None,
    ),
    checkpoint_age_s=None,
    lag_records=None,
    figures=JobFigures(),
    restarts=0,
    last_failure=None,
    given_up=None,
    url="http://flink/#/job/a",
)


def shown(facts: JobFacts) -> list[str]:
    """Its lines, each with single blanks."""
    console = Console(file=io.StringIO(), width=120)
    console.print(render_job(Look(facts=facts, at_s=0.0), None))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("count", "last"),
    [(5, "r5 5"), (6, "r6 4"), (7, "2 others 7"), (8, "3 others 9")],
)
def test_reasons_beyond_the_largest_are_counted_in_one_row(count: int, last: str) -> None:
    faults = {f"r{number}": 10 - number for number in range(1, count + 1)}
    lines = shown(dataclasses.replace(FACTS, figures=JobFigures(faults=faults)))
    begin = lines.index("r1 9")
    assert lines[begin : begin + 5] == ["r1 9", "r2 8", "r3 7", "r4 6", "r5 5"]
    assert last in lines[begin:]
    rows = [line for line in lines if line.startswith("r") and line[1].isdigit()]
    assert len(rows) == (count if count <= 6 else 5)


def test_job_that_was_given_up_is_told_with_its_reason_as_it_is() -> None:
    """A reason in brackets looked like markup, and was left out."""
    text = "\n".join(shown(dataclasses.replace(FACTS, given_up="in vain: [no such bucket]")))
    assert "given up: in vain: [no such bucket]" in text
