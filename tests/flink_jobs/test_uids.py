"""Operators have uids and names of their own, so that a savepoint fits the job's next shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flink_jobs.uids import name_node, name_nodes
from fraudlake.job.submission import CLIENT_OPTIONS

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


@pytest.mark.parametrize("kind", ["stream-exec-exchange_1", "stream-exec-union_1"])
def test_what_is_no_operator_is_left_as_it_was(kind: str) -> None:
    node = {"type": kind, "description": "Union"}
    name_node(node)
    assert node == {"type": kind, "description": "Union"}


def shape(*stages: str) -> dict[str, Any]:
    """A plan: transactions, a calculation before and behind each stage, and the two sinks."""
    nodes: list[dict[str, Any]] = [
        {"type": "table-source-scan", "scanTableSource": identified("transactions")}
    ]
    for stage in stages:
        nodes += [{"type": "exec-calc"}, {"type": "exec-exchange"}]
        nodes += [{"type": "exec-process-table-function", "uid": stage}]
    nodes += [{"type": "exec-calc"}, {"type": "exec-sink", "dynamicTableSink": identified("out")}]
    edges = [{"source": number, "target": number + 1} for number in range(1, len(nodes))]
    nodes += [{"type": "exec-calc"}, {"type": "exec-union"}]
    nodes += [{"type": "exec-sink", "dynamicTableSink": identified("letters")}]
    ends = (1, *range(len(nodes) - 2, len(nodes) + 1))
    edges += [{"source": a, "target": b} for a, b in pairwise(ends)]
    return {"nodes": [{"id": i, **node} for i, node in enumerate(nodes, 1)], "edges": edges}


def operators(plan: dict[str, Any]) -> dict[str, str | None]:
    """Names with uid formats, of what Flink makes operators of."""
    name_nodes(plan)
    named = [node for node in plan["nodes"] if "configuration" in node]
    return {
        str(node.get("description", node["type"])): node["configuration"].get(UID) for node in named
    }


def test_what_computes_is_named_by_what_it_stands_between() -> None:
    found = operators(shape("card-profile", "judgement"))
    assert found["card-profile to judgement"] == "card-profile-to-judgement_<transformation>"
    assert set(found) == {
        "table-source-scan",
        "transactions to card-profile",
        "card-profile",  # a stage has its uid already
        "card-profile to judgement",
        "judgement",
        "judgement to out",
        "transactions to letters",
        "exec-sink",
    }


def test_uids_stay_when_a_stage_comes_in_between() -> None:
    before = operators(shape("card-profile", "judgement"))
    after = operators(shape("card-profile", "merchant-profile", "judgement"))
    assert before.keys() - after.keys() == {"card-profile to judgement"}
    assert all(after[name] == uid for name, uid in before.items() if name in after)


def test_two_between_the_same_are_told_apart() -> None:
    plan = shape("judgement")
    plan["nodes"].append({"id": 99, "type": "exec-calc"})
    plan["edges"] += [{"source": 1, "target": 99}, {"source": 99, "target": 4}]
    found = operators(plan)
    assert found["transactions to judgement 2"] == "transactions-to-judgement-2_<transformation>"


@pytest.mark.flink
def test_a_plan_of_this_flink_gets_one_name_for_each_source_and_sink() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", PROGRAM],
        env={**os.environ, "JVM_ARGS": CLIENT_OPTIONS},
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
