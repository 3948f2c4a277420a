"""Where the project's own files lie: its folder, the kernel's sources, the jars' pom and lock."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DAGSTER_INSTANCE = PROJECT / "orchestration" / "dagster.yaml"
KERNEL = PROJECT / "flink_jobs" / "kernel"
POM_FILE = Path(__file__).with_name("pom.xml")
LOCK_FILE = Path(__file__).with_name("jars.lock")
