"""What a benchmark is given by who runs it: how a job is submitted, and who hears how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.settings import Settings


class Submit(Protocol):
    """Starts a program of ``flink_jobs`` with these words; the answer holds the job's id."""

    def __call__(self, settings: Settings, module: str, words: list[str]) -> Mapping[str, str]: ...


class Listener(Protocol):
    """Hears of the step, the records done and their total."""

    def __call__(self, step: str, done: int, total: int) -> None: ...
