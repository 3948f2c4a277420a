"""Code versions follow the files that they stand for, and no others."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import flink_jobs
from orchestration import code_version
from orchestration.code_version import job_code_version, job_files, rules_code_version

if TYPE_CHECKING:
    from collections.abc import Iterator

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


PROJECT = Path(flink_jobs.__file__).parent.parent


def imported_by(path: Path) -> Iterator[Path]:
    """Our own files that ``path`` imports, wherever in it; of a package, what is above, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{one.name}" for one in node.names]
        for name in names:
            steps = name.split(".")
            for end in range(1, len(steps) + 1):
                place = PROJECT.joinpath(*steps[:end])
                found = (place / "__init__.py", place.with_suffix(".py"))
                yield from (one for one in found if one.is_file())


def test_version_of_the_job_follows_every_file_that_the_job_imports() -> None:
    reached: set[Path] = set()
    left = set((PROJECT / "flink_jobs").rglob("*.py"))
    while left:
        path = left.pop()
        reached.add(path)
        left |= set(imported_by(path)) - reached

    assert PROJECT / "pipelines" / "columns.py" in reached
    assert reached - set(job_files()) == set()


def test_version_of_the_job_follows_what_its_kernel_and_contracts_read() -> None:
    names = {path.name for path in job_files()}
    assert {"state-layouts.properties", "org.apache.flink.table.factories.Factory"} <= names
    assert {"transaction.v1.json", "fx.toml", "features.toml"} <= names
