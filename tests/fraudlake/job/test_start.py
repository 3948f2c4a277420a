"""Which rule set a submission takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraudlake.job.start import choose_ruleset
from pipelines.job_memory import Remembered, remember

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pipelines.settings import Settings


def test_rule_set_is_the_named_one_else_the_last_one_else_the_settings(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_ruleset(settings, None) == "speed"
    remember(settings, Remembered(job_id="a" * 32, ruleset="classic@1", ruleset_name="classic"))
    assert choose_ruleset(settings, None) == "classic"
    monkeypatch.chdir(tmp_path)
    assert choose_ruleset(settings, "mine.toml") == str(tmp_path / "mine.toml")
    # Written before names were remembered, or of a job that was submitted by other means.
    remember(settings, Remembered(job_id="a" * 32, ruleset="classic@1"))
    assert choose_ruleset(settings, None) == "speed"
