"""When side inputs are read first, how it is told that they are, and what stays on the record."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from fraudlake.job import launch, priming
from fraudlake.job.priming import SideInput, prime
from pipelines.errors import JobError, TransientError
from pipelines.flink import Job
from pipelines.job_memory import Remembered, remember, remembered
from pipelines.settings import FlinkSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMERS = SideInput(
    name="customers", topic="customers", starts={0: 0, 1: 40, 2: 7}, wanted={0: 100, 1: 60}
)
DRAFT = Remembered(job_id="a" * 32, ruleset="", superseded={"c" * 32: "file:/older"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path), flink=FlinkSettings(job_name="fraud"))


@pytest.mark.parametrize(
    ("read", "count"),
    [
        ({}, 0),
        ({0: 30}, 30),
        ({0: 100, 1: 50}, 110),
        ({0: 100, 1: 60}, 120),
        ({0: 500, 1: 61}, 120),  # newer ones came meanwhile: they do not stand in for others
        ({0: 500, 1: 40}, 100),
    ],
)
def test_what_is_read_counts_up_to_what_was_wanted(read: dict[int, int], count: int) -> None:
    assert CUSTOMERS.records == 120
    assert CUSTOMERS.count_read(read) == count


def test_savepoint_of_the_side_inputs_is_what_the_job_begins_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_record: list[Remembered | None] = []

    def run(*arguments: object) -> str:
        on_record.append(remembered(settings))
        return "file:/read"

    monkeypatch.setattr(priming, "find_side_inputs", lambda *_: [CUSTOMERS])
    monkeypatch.setattr(priming, "_run", run)
    said: list[str] = []
    primed = prime(settings, DRAFT, ["--ruleset", "speed"], said.append)
    assert primed.origin == "file:/read"
    assert remembered(settings) == primed
    # Known before it was submitted, and never as the job that was deployed or replaced last.
    (before,) = on_record
    assert before is not None
    (job_id, last) = before.superseded
    assert before.superseded == {job_id: None, last: "file:/older"}
    assert primed.superseded == {job_id: "file:/read", last: "file:/older"}
    assert (before.origin, before.job_id, last) == (None, DRAFT.job_id, "c" * 32)
    assert said[0] == "reading 120 customers first"
    assert said[1].startswith("read 120 customers, in ")


def test_without_side_inputs_nothing_is_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priming, "read_side_inputs", lambda *_: [])
    assert prime(settings, DRAFT, [], pytest.fail) is DRAFT
    assert remembered(settings) is None


def test_empty_side_input_is_passed_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priming, "read_side_inputs", lambda *_: ["customers", "labels"])
    monkeypatch.setattr(priming, "read_offsets", lambda *_: {})
    said: list[str] = []
    assert prime(settings, DRAFT, [], said.append) is DRAFT
    assert said == [
        "no customers yet, so none to read first",
        "no labels yet, so none to read first",
    ]


class Rest:
    """A cluster that lists what it is given, and notes what is ended."""

    def __init__(self, *, listed: dict[str, str], is_stuck: bool = False) -> None:
        self.listed = listed
        self.is_stuck = is_stuck
        self.ended: list[str] = []

    def jobs(self, name: str) -> list[Job]:
        assert name == "fraud-priming"
        return [
            Job(job_id=key, name=name, state=state, started_ms=0, duration_ms=0)
            for key, state in self.listed.items()
        ]

    def cancel(self, job_id: str) -> None:
        self.ended.append(job_id)
        self.listed[job_id] = "CANCELED"

    def await_end(self, job_id: str, *, wait_seconds: float) -> None:
        if self.listed[job_id] == "CANCELLING" and not self.is_stuck:
            self.listed[job_id] = "CANCELED"

    def root_cause(self, job_id: str) -> str | None:
        return "no slots"


def test_priming_jobs_that_were_left_are_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ("FINISHED", "RUNNING", "RESTARTING", "CANCELED", "CANCELLING")
    rest = Rest(listed=dict(zip("12345", states, strict=True)))
    monkeypatch.setattr(priming, "FlinkRest", lambda url: rest)
    priming.end_left_over(settings)
    assert rest.ended == ["2", "3"]
    rest = Rest(listed={"1": "CANCELLING"}, is_stuck=True)
    with pytest.raises(JobError, match="fraud-priming does not end"):
        priming.end_left_over(settings)


def test_waiting_outlives_a_broker_that_is_away_and_names_what_stands_still(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[dict[int, int] | Exception] = [
        {},
        TransientError("away"),
        {0: 100},
        {0: 100, 1: 60},
    ]

    def read(*_: object) -> dict[int, int]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(priming, "read_group_offsets", read)
    monkeypatch.setattr(priming, "POLL_SECONDS", 0)
    wait = priming._await_read
    wait(settings, Rest(listed={"p": "RUNNING"}), "g", [CUSTOMERS], "p")  # type: ignore[arg-type]
    assert answers == [{0: 100, 1: 60}]
    answers[:] = [{0: 30}]
    with pytest.raises(JobError, match=r"customers first came to 30 of 120 records: no slots"):
        wait(settings, Rest(listed={"p": "FAILED"}), "g", [CUSTOMERS], "p")  # type: ignore[arg-type]
    monkeypatch.setattr(priming, "STALL_SECONDS", 0)
    with pytest.raises(JobError, match="came to 30 of 120"):
        wait(settings, Rest(listed={"p": "RUNNING"}), "g", [CUSTOMERS], "p")  # type: ignore[arg-type]


@pytest.mark.parametrize(("origin", "is_primed"), [(None, True), ("file:/saved", False)])
def test_only_a_start_from_no_state_reads_them_first(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    origin: str | None,
    is_primed: bool,
) -> None:
    steps: list[str] = []
    kernel = tmp_path / "kernel.jar"
    kernel.write_bytes(b"")

    class Stopped(Exception):
        """The end of the test."""

    def primed(settings: Settings, draft: Remembered, *_: object) -> Remembered:
        steps.append("read first")
        return dataclasses.replace(draft, origin="file:/read")

    def submit(*_: object, savepoint: str | None, **__: object) -> dict[str, str]:
        steps.append(f"from {savepoint}")
        raise Stopped

    monkeypatch.setattr(launch, "end_left_over", lambda settings: steps.append("ended"))
    monkeypatch.setattr(launch, "prime", primed)
    monkeypatch.setattr(launch, "run_submission", submit)
    remember(settings, Remembered(job_id="b" * 32, ruleset=""))
    with pytest.raises(Stopped):
        draft = dataclasses.replace(DRAFT, origin=origin, kernel=str(kernel))
        launch.launch_job(settings, draft, [])
    begin = ["read first", "from file:/read"] if is_primed else [f"from {origin}"]
    assert steps == ["ended", *begin]
    # The job is on the record before any of it.
    known = remembered(settings)
    assert known is not None
    assert known.job_id == DRAFT.job_id
