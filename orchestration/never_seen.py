"""What no run and no look has ever told of: grey in the graph.

Asked of the instance, which remembers what was materialized and judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import dagster as dg

_HISTORY = 20
"""Executions of a check that are looked at for one that came to a judgement."""
_JUDGED = {"SUCCEEDED", "FAILED"}


def find_unmaterialized(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance, *, groups: Collection[str]
) -> list[dg.AssetKey]:
    """The assets of some groups that a run can materialize whole, and none ever has, in order."""
    keys = [
        node.key
        for node in repository.asset_graph.asset_nodes
        if node.is_materializable and not node.is_partitioned and node.group_name in groups
    ]
    known = {
        record.asset_entry.asset_key
        for record in instance.get_asset_records(keys)
        if record.asset_entry.last_materialization is not None
    }
    return sorted(key for key in keys if key not in known)


def find_unjudged(
    repository: dg.RepositoryDefinition, instance: dg.DagsterInstance
) -> list[dg.AssetCheckKey]:
    """The checks that were never judged, in order; those that an asset judges come with it."""
    graph = repository.asset_graph
    keys = [key for key in graph.asset_check_keys if not graph.assets_def_for_key(key).keys]
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    judged = {key for key, record in newest.items() if record.status.value in _JUDGED}
    return sorted(
        (key for key in keys if key not in judged and not _was_judged(instance, key)),
        key=lambda key: key.to_user_string(),
    )


def _was_judged(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> bool:
    """Whether an older one was: the newest may stand in a run that ended before its turn."""
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_HISTORY)
    return any(record.status.value in _JUDGED for record in history)
