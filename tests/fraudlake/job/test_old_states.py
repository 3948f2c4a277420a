"""What jobs replaced long ago have saved is deleted; what may be needed never is."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from fraudlake.job.old_states import clear_old_states
from pipelines.job_memory import Remembered, remember, remembered, statement_file
from pipelines.settings import FlinkSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, THIRD, NOW = "1" * 32, "2" * 32, "3" * 32, "4" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path))


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.stack.home / "flink" / "checkpoints"


@pytest.fixture
def record(settings: Settings, folder: Path) -> Remembered:
    """Three deployments replaced, one second apart, and the one that runs."""
    superseded: dict[str, str | None] = {}
    for at, job_id in enumerate((FIRST, SECOND, THIRD), start=1):
        write(folder / job_id / f"chk-{at}", at=10 * at)
        stopped = folder / f"savepoint-{job_id[:6]}-0a1b2c"
        superseded[job_id] = write(stopped, at=10 * at + 1).as_uri()
        kept = statement_file(settings, job_id)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text("{}")
        kept.with_suffix(".jar").write_bytes(b"")
    write(folder / NOW / "chk-7", at=40)
    record = Remembered(
        job_id=NOW, ruleset="r@1", origin=superseded[THIRD], superseded=superseded, has_run=True
    )
    remember(settings, record)
    return record


def write(folder: Path, *, at: int) -> Path:
    """A checkpoint or savepoint, whole at second ``at``."""
    folder.mkdir(parents=True)
    (folder / "_metadata").write_bytes(b"")
    os.utime(folder / "_metadata", (at, at))
    return folder


def test_what_two_deployments_have_replaced_goes_and_what_may_be_needed_stays(
    settings: Settings, folder: Path, record: Remembered
) -> None:
    foreign = write(folder / "savepoint-999999-0a1b2c", at=1)
    deleted = clear_old_states(settings, working=[NOW])
    assert sorted(path.name for path in deleted) == sorted(
        [FIRST, SECOND, "savepoint-111111-0a1b2c", "savepoint-222222-0a1b2c"]
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [THIRD, "savepoint-333333-0a1b2c", NOW, foreign.name]
    )
    after = remembered(settings)
    assert after is not None
    assert list(after.superseded) == [THIRD]
    kept = statement_file(settings, THIRD)
    assert set(kept.parent.iterdir()) == {kept, kept.with_suffix(".jar")}
    assert clear_old_states(settings, working=[NOW]) == []


def test_job_still_working_and_the_state_gone_on_from_are_kept(
    settings: Settings, folder: Path, record: Remembered
) -> None:
    remember(settings, dataclasses.replace(record, origin=record.superseded[FIRST]))
    deleted = clear_old_states(settings, working=[NOW, SECOND])
    assert deleted == []
    assert {path.name for path in folder.iterdir()} >= {FIRST, SECOND, THIRD, NOW}


def test_savepoint_put_elsewhere_by_a_person_is_theirs(
    settings: Settings, folder: Path, record: Remembered, tmp_path: Path
) -> None:
    theirs = write(tmp_path / f"savepoint-{FIRST[:6]}-0a1b2c", at=1)
    remember(
        settings,
        dataclasses.replace(record, superseded={**record.superseded, FIRST: theirs.as_uri()}),
    )
    clear_old_states(settings, working=[NOW])
    assert theirs.is_dir()
    assert not (folder / FIRST).exists()


def test_folder_of_another_machine_is_left_alone(settings: Settings, record: Remembered) -> None:
    away = dataclasses.replace(settings, flink=FlinkSettings(checkpoint_dir="s3://bucket/states"))
    assert clear_old_states(away, working=[NOW]) == []
