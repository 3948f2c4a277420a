"""What becomes of a change that fails, is interrupted, or is killed: the old job comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from deploying_cluster import BACK, NEW, OLD, STOPPED_AT, Cluster

from fraudlake.job import deploy
from fraudlake.job.deploy import deploy_job
from pipelines.errors import JobError, TransientError
from pipelines.job_memory import remembered, statement_file

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings


def run(settings: Settings, ruleset: str | None = "speed") -> deploy.Deployed:
    return deploy_job(settings, ruleset=ruleset, say=lambda text: None)


@pytest.mark.parametrize("error", [JobError("no slots"), TransientError("Flink is away")])
def test_start_that_fails_is_taken_back_and_says_so(
    settings: Settings, cluster: Cluster, error: Exception
) -> None:
    cluster.fails["start"] = error
    with pytest.raises(JobError) as caught:
        run(settings)
    assert cluster.steps[-2:] == ["start", "start again"]
    assert cluster.origins == [STOPPED_AT]
    assert cluster.running == BACK
    for told in (str(error), BACK, "classic@old"):
        assert told in str(caught.value)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(1), KeyError("transaction.max.timeout.ms")]
)
@pytest.mark.parametrize("is_submitted", [False, True])
def test_change_that_is_interrupted_or_meets_a_fault_of_ours_is_taken_back(
    settings: Settings, cluster: Cluster, error: BaseException, is_submitted: bool
) -> None:
    """A run that was cancelled in the gap left the stream down, and nobody started it."""
    if is_submitted:
        cluster.fails["look at checkpoints"] = error
    else:
        cluster.fails["start"] = error
    said: list[str] = []
    with pytest.raises(type(error)) as caught:
        deploy_job(settings, ruleset="speed", say=said.append)
    assert caught.value is error
    assert cluster.running == BACK
    assert cluster.origins[-1] == STOPPED_AT
    assert said[-1] == f"The old one runs again, from its savepoint, as {BACK} (classic@old)"


@pytest.mark.parametrize("stops_later", [True, False])
def test_change_that_is_interrupted_while_the_old_job_stops_starts_it_again(
    settings: Settings, cluster: Cluster, stops_later: bool
) -> None:
    """Flink ends it behind its savepoint, whoever waits for that."""
    cluster.fails["stop"], cluster.stops_later = KeyboardInterrupt(), stops_later
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    assert cluster.running == (BACK if stops_later else OLD)
    assert cluster.origins == ([STOPPED_AT] if stops_later else [])


def test_change_that_is_interrupted_as_it_says_so_tells_that_the_old_job_goes_on(
    settings: Settings, cluster: Cluster
) -> None:
    """The signal often comes while the line is written; the command then ended without a word."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("stopping the old job"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy_job(settings, ruleset="speed", say=say)

    assert cluster.running == OLD
    assert said[-1] == "the old job goes on. Should it stop after all, the keeper starts it again"


def test_new_job_that_is_being_ended_is_not_taken_for_one_that_a_person_ended(
    settings: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it takes the change back: the keeper then goes on with that."""
    monkeypatch.setattr(deploy, "RUNNING_SECONDS", 0.0)
    cluster.checkpoints_made = 0
    cluster.fails["cancel"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    known = remembered(settings)
    assert known is not None
    assert known.replaces is not None
    assert (known.job_id, known.is_making_way, known.replaces.job_id) == (NEW, True, OLD)


@pytest.mark.parametrize("newer", [None, "file:/checkpoint-7"])
def test_new_job_without_a_checkpoint_is_ended_before_the_old_one_starts(
    settings: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, newer: str | None
) -> None:
    monkeypatch.setattr(deploy, "RUNNING_SECONDS", 0.0)
    cluster.checkpoints_made, cluster.newer_state = 0, newer
    with pytest.raises(JobError, match="no checkpoint within 0 s: no slots"):
        run(settings)
    assert cluster.steps[-3:] == ["start", "cancel", "start again"]
    # One that it made after we gave up has committed: the savepoint would decide that again.
    assert cluster.origins[-1] == (newer or STOPPED_AT)


def test_new_job_that_died_after_its_checkpoint_gives_its_state_to_the_old_one(
    settings: Settings, cluster: Cluster
) -> None:
    cluster.fails["start"] = TransientError("Flink is away")
    cluster.newer_state = "file:/checkpoint-7"
    with pytest.raises(JobError):
        run(settings)
    assert cluster.origins == ["file:/checkpoint-7"]


def test_old_job_comes_back_although_the_new_image_has_no_longer_its_kernel(
    settings: Settings, cluster: Cluster, kernel: Path
) -> None:
    cluster.fails["start"] = JobError("no slots")
    kernel.unlink()
    with pytest.raises(JobError, match="The old one runs again"):
        run(settings)
    assert cluster.running == BACK


@pytest.mark.parametrize("part", ["json", "jar"])
def test_old_job_that_is_not_kept_cannot_come_back_and_the_way_is_told(
    settings: Settings, cluster: Cluster, part: str
) -> None:
    cluster.fails["start"] = JobError("no slots")
    statement_file(settings, OLD).with_suffix(f".{part}").unlink()
    said: list[str] = []
    with pytest.raises(JobError, match=f"submit --ruleset NAME --savepoint {STOPPED_AT}"):
        deploy_job(settings, ruleset="speed", say=said.append)
    assert said[0].startswith("what the running job was made of is not kept")
    assert cluster.steps[-1] == "start"
