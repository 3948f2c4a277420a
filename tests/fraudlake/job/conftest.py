"""Settings of a pipeline of its own; and a job that was deployed, on a cluster that pretends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from deploying_cluster import OLD, SWITCH, Cluster, make_kernel

from fraudlake.job import deploy
from fraudlake.job.build import build_of
from fraudlake.job.kept_parts import keep_kernel
from fraudlake.job.switch_report import Mark
from pipelines.job_memory import Remembered, remember, statement_file
from pipelines.settings import FlinkSettings, KafkaSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        stack=StackSettings(home=tmp_path),
        kafka=KafkaSettings(topic_prefix="eu-"),
        flink=FlinkSettings(job_name="fraud", ruleset="speed"),
    )


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """In the cache, made of the sources as they are."""
    return make_kernel(tmp_path / "kernel-1", "profile=4 3\n")


@pytest.fixture
def cluster(settings: Settings, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """What is deployed is rule set `classic`, by sources that have not changed since."""
    one = Cluster()
    edges = {
        "FlinkRest": lambda url: one,
        "find_flink": lambda python: None,
        "build_kernel": lambda flink: kernel,
        "write_sql": lambda settings, name: f"the statement of {name}",
        "run_submission": lambda *words: one.step("compile"),
        "check_transactions": lambda settings: one.step("ask the broker"),
        "stop_held": one.stop,
        "submit_held": one.start,
        "submit_again": one.start_again,
        "newest_state": lambda settings: one.newer_state,
        "mark_progress": lambda settings: Mark(read={}, decided={}, refused={}),
        "report_switch": lambda settings, mark, *, ruleset: SWITCH,
        "clear_old_states": lambda settings, *, working: one.step("clear up") or [],
    }
    for name, edge in edges.items():
        monkeypatch.setattr(deploy, name, edge)
    build = build_of(settings, "the statement of classic", kernel)
    known = Remembered(
        job_id=OLD,
        ruleset="classic@old",
        ruleset_name="classic",
        build=build,
        kernel=str(keep_kernel(settings, OLD, kernel)),
    )
    remember(settings, known)
    statement_file(settings, OLD).write_text("{}")
    return one
