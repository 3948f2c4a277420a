"""Operators are named after their tables, so that a savepoint fits the job's next shape."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flink_jobs.uids import name_node

PROGRAM = Path(__file__).with_name("compiled_plan.py")
UID = "table.exec.uid.format"


def named(node: dict[str, Any]) -> str | None:
    name_node(node)
    uid: str | None = node.get("configuration", {}).get(UID)
    return uid


def identified(name: str) -> dict[str, Any]:
    return {"table": {"identifier": f"`default_catalog`.`default_database`.`{name}`"}}


def test_a_source_is_named_after_its_table() -> None:
    node = {
        "type": "stream-exec-table-source-scan_2",
        "scanTableSource": identified("transactions"),
    }
    assert named(node) == "source-transactions_<transformation>"


def test_a_sink_is_named_after_its_table_and_keeps_its_configuration() -> None:
    node = {
        "type": "stream-exec-sink_2",
        "configuration": {"table.exec.sink.upsert-materialize": "AUTO"},
        "dynamicTableSink": identified("dead_letters"),
    }
    assert named(node) == "sink-dead_letters_<transformation>"
    assert node["configuration"]["table.exec.sink.upsert-materialize"] == "AUTO"


@pytest.mark.parametrize("kind", ["stream-exec-calc_1", "stream-exec-process-table-function_1"])
def test_what_is_neither_is_left_as_it_was(kind: str) -> None:
    node = {"type": kind, "description": "Calc"}
    name_node(node)
    assert node == {"type": kind, "description": "Calc"}


@pytest.mark.flink
def test_a_plan_of_this_flink_gets_one_name_for_each_source_and_sink() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    uids = [named(node) for node in json.loads(done.stdout)["nodes"]]
    assert sorted(uid for uid in uids if uid is not None) == [
        "sink-dead_letters_<transformation>",
        "sink-outbox_<transformation>",
        "source-transactions_<transformation>",
    ]
