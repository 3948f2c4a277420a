"""What the code of the job and the shipped rules are, as a hash.

Read when the graph is loaded, and remembered by each deployment.

Dagster shows an asset as behind when it was materialized at another code version. Files are read
and nothing else, so that this needs no server and no setting.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pipelines

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROJECT = Path(pipelines.__file__).parent.parent
_DIGITS = 12
_JOB = (
    "flink_jobs/**/*.py",
    "flink_jobs/**/*.java",
    "flink_jobs/kernel/resources/**/*",
    "pipelines/__init__.py",
    "pipelines/columns.py",
    "pipelines/contracts/*.json",
    "pipelines/contracts/*.py",
    "pipelines/errors.py",
    "pipelines/expressions/*.py",
    "pipelines/features.toml",
    "pipelines/features/*.py",
    "pipelines/flink/*.py",
    "pipelines/fx.py",
    "pipelines/fx.toml",
    "pipelines/hints.py",
    "pipelines/rules/*.py",
    "pipelines/settings/*.py",
    "pipelines/topics.py",
    "pipelines/whole_file.py",
)
_RULES = ("pipelines/rulesets/*.toml", "pipelines/features.toml", "pipelines/rules/*.py")


def job_code_version() -> str:
    """Of what the job is planned and made from; its rule set has a version of its own."""
    return _hash(job_files())


def rules_code_version() -> str:
    """Of the shipped rule sets, and of what gives them their meaning."""
    return _hash(_find(_RULES))


def job_files() -> list[Path]:
    """All that ``flink_jobs`` reaches by its imports, and what it reads."""
    return _find(_JOB)


def _find(patterns: Iterable[str]) -> list[Path]:
    found = {path for pattern in patterns for path in _PROJECT.glob(pattern)}
    return sorted(path for path in found if path.is_file())


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(_PROJECT)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_DIGITS]
