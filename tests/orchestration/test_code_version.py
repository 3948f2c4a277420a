"""Code versions follow the files that they stand for, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration import code_version
from orchestration.code_version import job_code_version, rules_code_version

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_version_follows_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_version, "_PROJECT", tmp_path)
    kernel = tmp_path / "flink_jobs" / "kernel" / "src" / "Judgement.java"
    rules = tmp_path / "pipelines" / "rulesets" / "speed.toml"
    for path in (kernel, rules):
        path.parent.mkdir(parents=True)
        path.write_text("one")
    job, shipped = job_code_version(), rules_code_version()

    rules.write_text("two")
    assert job_code_version() == job
    assert rules_code_version() != shipped

    shipped = rules_code_version()
    kernel.write_text("two")
    assert job_code_version() != job
    assert rules_code_version() == shipped
    assert job_code_version() == job_code_version()


def test_versions_of_this_release_are_made_of_real_files() -> None:
    nothing = "e3b0c44298fc"  # the hash of no bytes
    assert nothing not in (job_code_version(), rules_code_version())
