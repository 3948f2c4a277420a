"""The newest state is found wherever a stop or a crash has left it, and never guessed."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import pytest

from fraudlake.job import saved_state
from fraudlake.job.saved_state import named_state, newest_state
from pipelines.errors import JobError
from pipelines.job_memory import Remembered, remember
from pipelines.settings import FlinkSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

JOB, BEFORE = "abcdef" + "0" * 26, "fedcba" + "0" * 26


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path))


@pytest.fixture(autouse=True)
def flink(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What the cluster knows: the newest path of each job; empty: nothing."""
    known: dict[str, str | None] = {}

    class Rest:
        def __init__(self, url: str) -> None: ...

        def is_known(self, job_id: str) -> bool:
            return job_id in known

        def newest_saved(self, job_id: str) -> str | None:
            return known[job_id]

    monkeypatch.setattr(saved_state, "FlinkRest", Rest)
    return known


def write(settings: Settings, name: str, *, at: int, is_whole: bool = True) -> str:
    """A checkpoint or savepoint, whole at second ``at``; its URI."""
    folder = settings.stack.home / "flink" / "checkpoints" / name
    folder.mkdir(parents=True)
    if is_whole:
        (folder / "_metadata").write_bytes(b"")
        os.utime(folder / "_metadata", (at, at))
    return folder.as_uri()


def deploy(settings: Settings, **more: Any) -> None:
    remember(settings, Remembered(job_id=JOB, ruleset="classic@1", **more))


def test_without_a_deployment_there_is_no_state(settings: Settings) -> None:
    write(settings, f"{JOB}/chk-1", at=10)
    assert newest_state(settings) is None


def test_job_that_died_goes_on_from_its_newest_whole_checkpoint(settings: Settings) -> None:
    origin = write(settings, f"savepoint-{BEFORE[:6]}-1", at=5)
    write(settings, f"{JOB}/chk-9", at=10)
    newest = write(settings, f"{JOB}/chk-10", at=11)
    write(settings, f"{JOB}/chk-11", at=12, is_whole=False)
    write(settings, f"{BEFORE}/chk-99", at=99)
    deploy(settings, origin=origin, has_run=True)
    assert newest_state(settings) == newest


def test_savepoint_that_nobody_remembered_is_found(settings: Settings) -> None:
    """The stop timed out, or who stopped it died: Flink was done nevertheless."""
    write(settings, f"{JOB}/chk-9", at=10)
    stopped = write(settings, f"savepoint-{JOB[:6]}-0123456789ab", at=11)
    write(settings, f"savepoint-{BEFORE[:6]}-0123456789ab", at=12)
    deploy(settings, has_run=True, is_stopped=True)
    assert newest_state(settings) == stopped
    beside = write(settings, f"../savepoints/savepoint-{JOB[:6]}-1", at=13)
    assert newest_state(settings) == beside.replace("checkpoints/../", "")


def test_stopped_job_goes_on_from_its_savepoint_and_not_without_it(settings: Settings) -> None:
    stopped = write(settings, f"savepoint-{JOB[:6]}-1", at=11)
    deploy(settings, has_run=True, is_stopped=True, savepoint=stopped)
    assert newest_state(settings) == stopped
    gone = stopped.replace("-1", "-2")
    deploy(settings, has_run=True, is_stopped=True, savepoint=gone)
    with pytest.raises(JobError, match=r"is not there.*--savepoint PATH.*--fresh"):
        newest_state(settings)


def test_submission_that_never_ran_leaves_the_state_it_was_to_go_on_from(
    settings: Settings,
) -> None:
    origin = write(settings, f"{BEFORE}/chk-7", at=5)
    deploy(settings, origin=origin)
    assert newest_state(settings) == origin
    # It ran, and died before its first checkpoint: it has committed nothing.
    (settings.stack.home / "flink" / "checkpoints" / JOB).mkdir()
    deploy(settings, origin=origin, has_run=True)
    assert newest_state(settings) == origin


def test_job_that_ran_and_left_nothing_is_never_guessed(
    settings: Settings, flink: dict[str, str | None]
) -> None:
    deploy(settings, origin=write(settings, f"{BEFORE}/chk-7", at=5), has_run=True)
    with pytest.raises(JobError, match=r"--savepoint PATH.*--fresh"):
        newest_state(settings)
    flink[JOB] = "file:/elsewhere/chk-8"
    assert newest_state(settings) == "file:/elsewhere/chk-8"


def test_folder_that_is_not_local_is_asked_of_flink(
    settings: Settings, flink: dict[str, str | None]
) -> None:
    there = dataclasses.replace(settings, flink=FlinkSettings(checkpoint_dir="s3://b/checkpoints"))
    deploy(there, origin="s3://b/checkpoints/old", has_run=True)
    with pytest.raises(JobError, match=r"s3://b/checkpoints.*Flink knows it no longer"):
        newest_state(there)
    flink[JOB] = "s3://b/checkpoints/chk-3"
    assert newest_state(there) == "s3://b/checkpoints/chk-3"
    flink[JOB] = None
    assert newest_state(there) == "s3://b/checkpoints/old"
    deploy(there, has_run=True, is_stopped=True, savepoint="s3://b/savepoint-1")
    assert newest_state(there) == "s3://b/savepoint-1"


def test_state_named_by_a_person_must_be_whole(settings: Settings, tmp_path: Path) -> None:
    uri = write(settings, "savepoint-1", at=1)
    assert named_state(str(tmp_path / "flink" / "checkpoints" / "savepoint-1")) == uri
    assert named_state("s3://b/savepoint-1") == "s3://b/savepoint-1"
    with pytest.raises(JobError, match="no whole savepoint"):
        named_state(str(tmp_path))
