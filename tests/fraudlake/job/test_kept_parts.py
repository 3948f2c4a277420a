"""What a job was made of is there to be submitted again, whatever became of where it came from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fraudlake.job.kept_parts import forget_parts, is_kept, keep_kernel, keep_statement
from pipelines.job_memory import Remembered, statement_file
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path / "home"))


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A kernel's jar in the cache."""
    jar = tmp_path / "cache" / "kernel.jar"
    jar.parent.mkdir()
    jar.write_bytes(b"layout 4")
    return jar


def keep(settings: Settings, job_id: str, kernel: Path) -> Remembered:
    kept = keep_kernel(settings, job_id, kernel)
    return Remembered(job_id=job_id, ruleset="r@1", kernel=str(kept))


def test_kernel_outlives_the_cache_and_goes_with_its_statement(
    settings: Settings, built: Path
) -> None:
    known = keep(settings, FIRST, built)
    assert not is_kept(settings, known)
    statement_file(settings, FIRST).write_text("{}")
    built.unlink()
    assert is_kept(settings, known)

    again = keep(settings, SECOND, statement_file(settings, FIRST).with_suffix(".jar"))
    keep_statement(settings, SECOND, of=FIRST)
    forget_parts(settings, FIRST)
    assert not is_kept(settings, known)
    assert is_kept(settings, again)
    assert keep_kernel(settings, SECOND, built).read_bytes() == b"layout 4"


def test_bytes_lie_on_the_disk_once(settings: Settings, built: Path) -> None:
    """A job that is tried again each quarter of an hour does not fill the disk."""
    statement_file(settings, FIRST).parent.mkdir(parents=True)
    statement_file(settings, FIRST).write_text("{}")
    kept = keep_kernel(settings, FIRST, built)
    assert keep_kernel(settings, SECOND, kept).samefile(kept)
    assert keep_statement(settings, SECOND, of=FIRST).samefile(statement_file(settings, FIRST))


def test_they_are_copied_where_they_cannot_be_shared(
    settings: Settings, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache in an image is another file system than the home in a volume."""

    def refuse(source: Path, target: Path) -> None:
        msg = "Invalid cross-device link"
        raise OSError(msg)

    monkeypatch.setattr(os, "link", refuse)
    kept = keep_kernel(settings, FIRST, built)
    assert kept.read_bytes() == b"layout 4"
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
