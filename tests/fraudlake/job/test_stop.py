"""What is remembered of a job that is stopped, whatever comes in between."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import pytest

from fraudlake.job.stop import stop_held
from pipelines.errors import JobError, TransientError
from pipelines.flink import Job
from pipelines.job_memory import (
    Remembered,
    remember,
    remembered,
    statement_file,
)

if TYPE_CHECKING:
    from pipelines.settings import Settings


class Stopping:
    """A cluster that is asked to stop a job, and what is remembered of it at that moment."""

    def __init__(self, settings: Settings, error: BaseException | None) -> None:
        self._settings, self._error = settings, error
        self.meanwhile: Remembered | None = None

    def stop(self, job_id: str, *, folder: str, wait_seconds: float) -> str:
        self.meanwhile = remembered(self._settings)
        if self._error is not None:
            raise self._error
        return "file:/savepoint-1"


@pytest.mark.parametrize("is_making_way", [True, False])
@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (None, False),
        (JobError("it goes on"), True),
        (TransientError("it may still stop"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_job_that_makes_way_is_never_taken_for_one_that_a_person_stopped(
    settings: Settings, error: BaseException | None, goes_on: bool, is_making_way: bool
) -> None:
    kernel = statement_file(settings, "a" * 32).with_suffix(".jar")
    known = Remembered(job_id="a" * 32, ruleset="r@1", kernel=str(kernel), has_run=True)
    remember(settings, known)
    kernel.parent.mkdir(parents=True)
    for part in (kernel, kernel.with_suffix(".json")):
        part.write_text("")
    rest = Stopping(settings, error)
    running = Job(job_id="a" * 32, name="fraud", state="RUNNING", started_ms=0, duration_ms=0)
    with contextlib.suppress(JobError, TransientError, KeyboardInterrupt):
        stop_held(settings, rest, running, is_making_way=is_making_way)  # type: ignore[arg-type]

    ending = dataclasses.replace(known, is_making_way=is_making_way, is_stopped=not is_making_way)
    assert rest.meanwhile == ending
    if goes_on or (isinstance(error, TransientError) and not is_making_way):
        assert remembered(settings) == known
    else:
        saved = "file:/savepoint-1" if error is None else None
        assert remembered(settings) == dataclasses.replace(ending, savepoint=saved)


def test_job_of_which_nothing_is_kept_is_left_to_a_person_when_it_makes_way(
    settings: Settings,
) -> None:
    rest = Stopping(settings, None)
    running = Job(job_id="a" * 32, name="fraud", state="RUNNING", started_ms=0, duration_ms=0)
    stop_held(settings, rest, running, is_making_way=True)  # type: ignore[arg-type]
    known = remembered(settings)
    assert known is not None
    assert (known.is_stopped, known.is_making_way) == (True, False)
