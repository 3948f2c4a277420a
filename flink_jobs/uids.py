"""Stable uids and readable names for the operators of a compiled plan.

Without them Flink derives an operator's uid from the shape of the whole graph, and a savepoint no
longer fits once an operator is added anywhere. The profile stages carry their own uid already. What
computes between them is named after what it stands between: ``transactions to card-profile``.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan, PlanReference

SOURCE_KIND = "table-source-scan"
SINK_KIND = "exec-sink"
STAGE_KIND = "process-table-function"
CALC_KIND = "exec-calc"
UID_FORMAT = "table.exec.uid.format"


def with_stable_uids(compiled: CompiledPlan) -> PlanReference:
    """The same plan, its sources and sinks named after their tables."""
    from pyflink.table import PlanReference  # naming the nodes does without Flink

    plan = json.loads(compiled.as_json_string())
    name_nodes(plan)
    return PlanReference.from_json_string(json.dumps(plan))


def name_nodes(plan: dict[str, Any]) -> None:
    """Give sources, sinks, stages and what lies between them their uids and names."""
    nodes: dict[int, dict[str, Any]] = {node["id"]: node for node in plan["nodes"]}
    before: dict[int, list[int]] = defaultdict(list)
    behind: dict[int, list[int]] = defaultdict(list)
    for edge in plan["edges"]:
        before[edge["target"]].append(edge["source"])
        behind[edge["source"]].append(edge["target"])
    taken: Counter[str] = Counter()
    for number, node in nodes.items():
        if CALC_KIND in node["type"]:
            name = f"{_nearest(number, nodes, before)} to {_nearest(number, nodes, behind)}"
            taken[name] += 1
            name += f" {taken[name]}" if taken[name] > 1 else ""
            _set_name(node, name)
            _configure(node, UID_FORMAT, f"{name.replace(' ', '-')}_<transformation>")
        else:
            name_node(node)


def _nearest(number: int, nodes: dict[int, dict[str, Any]], next_to: dict[int, list[int]]) -> str:
    """The sources, sinks or stages that come first in one direction."""
    names: set[str] = set()
    open_numbers = list(next_to[number])
    while open_numbers:
        node = nodes[open_numbers.pop()]
        name = _own_name(node)
        if name is None:
            open_numbers += next_to[node["id"]]
        else:
            names.add(name)
    return "+".join(sorted(names))


def _own_name(node: dict[str, Any]) -> str | None:
    kind = str(node["type"])
    if SOURCE_KIND in kind:
        return _table(node, "scanTableSource")
    if SINK_KIND in kind:
        return _table(node, "dynamicTableSink")
    return str(node["uid"]) if STAGE_KIND in kind else None


def name_node(node: dict[str, Any]) -> None:
    """Give a source or sink the uid format ``source-<table>_<part>``, and a stage its uid as name.

    Flink replaces ``<transformation>`` by the name of the part (writer, committer ...), so that
    each operator of a sink has a uid of its own.
    """
    kind, name = str(node["type"]), _own_name(node)
    if name is None:
        return
    if STAGE_KIND in kind:
        _set_name(node, name)  # its uid is in the call
    else:
        role = "source" if SOURCE_KIND in kind else "sink"
        _configure(node, UID_FORMAT, f"{role}-{name}_<transformation>")


def _set_name(node: dict[str, Any], name: str) -> None:
    """Flink names an operator by its kind and number, or else by its description."""
    node["description"] = name
    _configure(node, "table.exec.simplify-operator-name-enabled", "false")


def _configure(node: dict[str, Any], option: str, value: str) -> None:
    node.setdefault("configuration", {})[option] = value


def _table(node: dict[str, Any], spec: str) -> str:
    """The table's own name: the last part of `catalog`.`database`.`table`."""
    return str(node[spec]["table"]["identifier"]).split(".")[-1].strip("`")
