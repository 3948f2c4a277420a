"""Stable uids for every operator of a compiled plan.

Without them Flink derives an operator's uid from the shape of the whole graph, and a savepoint no
longer fits once an operator is added anywhere. The profile stages carry their own uid already.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan, PlanReference

SOURCE_KIND = "table-source-scan"
SINK_KIND = "exec-sink"


def with_stable_uids(compiled: CompiledPlan) -> PlanReference:
    """The same plan, its sources and sinks named after their tables."""
    from pyflink.table import PlanReference  # naming the nodes does without Flink

    plan = json.loads(compiled.as_json_string())
    for node in plan["nodes"]:
        name_node(node)
    return PlanReference.from_json_string(json.dumps(plan))


def name_node(node: dict[str, object]) -> None:
    """Give a source or sink node of a plan the uid format ``source-<table>_<part>``.

    Flink replaces ``<transformation>`` by the name of the part (writer, committer ...), so that
    each operator of a sink has a uid of its own.
    """
    kind = str(node["type"])
    if SOURCE_KIND in kind:
        uid = f"source-{_table(node, 'scanTableSource')}_<transformation>"
    elif SINK_KIND in kind:
        uid = f"sink-{_table(node, 'dynamicTableSink')}_<transformation>"
    else:
        return
    configuration = node.setdefault("configuration", {})
    assert isinstance(configuration, dict)
    configuration["table.exec.uid.format"] = uid


def _table(node: dict[str, object], spec: str) -> str:
    """The table's own name: the last part of `catalog`.`database`.`table`."""
    holder = node[spec]
    assert isinstance(holder, dict)
    identifier = holder["table"]["identifier"]
    return str(identifier).split(".")[-1].strip("`")
