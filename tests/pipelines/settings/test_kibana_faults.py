"""Settings of the alerting rules: none with which a rule could never call."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings

WEEK = 10_080


def read(minutes: int) -> Settings:
    environ = {"FRAUDLAKE_KIBANA_CRITICAL_MINUTES": str(minutes)}
    return Settings.from_env(environ, cwd=Path("/nowhere"))


def test_blocked_card_may_wait_for_any_time_within_the_week_that_is_looked_at() -> None:
    assert read(WEEK - 1).kibana.critical_minutes == WEEK - 1


@pytest.mark.parametrize("minutes", [WEEK, WEEK + 1, 1_000_000])
def test_rule_that_could_never_call_is_refused(minutes: int) -> None:
    with pytest.raises(SettingsError, match=f"CRITICAL_MINUTES={minutes} must be below 10080, "):
        read(minutes)
