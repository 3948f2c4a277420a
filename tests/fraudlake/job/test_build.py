"""Two deployments are the same only if nothing that decides what runs has changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from fraudlake.job.build import build_of
from pipelines.settings import Settings

SETTINGS = Settings()
KERNEL = Path("cache/kernel-1a2b/kernel.jar")


def test_sql_kernel_and_settings_all_count() -> None:
    flink = dataclasses.replace(SETTINGS.flink, parallelism=7)
    builds = {
        build_of(SETTINGS, "SELECT 1", KERNEL),
        build_of(SETTINGS, "SELECT 2", KERNEL),
        build_of(SETTINGS, "SELECT 1", Path("cache/kernel-3c4d/kernel.jar")),
        build_of(dataclasses.replace(SETTINGS, flink=flink), "SELECT 1", KERNEL),
    }
    assert len(builds) == 4


def test_the_same_is_the_same_wherever_the_cache_lies() -> None:
    elsewhere = Path("/other/kernel-1a2b/kernel.jar")
    assert build_of(SETTINGS, "SELECT 1", KERNEL) == build_of(SETTINGS, "SELECT 1", elsewhere)
