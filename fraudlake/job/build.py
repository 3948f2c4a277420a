"""What a deployment is made of, as a hash: two that are equal need not follow each other."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

DIGITS = 16


def build_of(settings: Settings, sql: str, kernel: Path) -> str:
    """The hash of the job's SQL, its kernel, and the settings that it is submitted with.

    The folder of the kernel's jar is named by the hash of its sources.
    """
    flink = settings.flink
    how = (flink.parallelism, flink.state_backend, flink.checkpoint_interval_ms)
    parts = (sql, kernel.parent.name, *how)
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()[:DIGITS]
