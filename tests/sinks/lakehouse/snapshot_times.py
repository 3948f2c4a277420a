"""Snapshots of other times: a table's metadata, written anew with the clock turned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinks.lakehouse.history import to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pyiceberg.table import Table


def set_times(
    table: Table,
    times: Mapping[int, datetime],
    *,
    last_log: datetime | None = None,
    cut_log: bool = False,
) -> None:
    """Let snapshots have been committed at ``times``, and main have changed last at ``last_log``.

    ``cut_log``: what main showed before is forgotten. In place, in the metadata file that the
    catalog points to.
    """
    path = Path(table.refresh().metadata_location.removeprefix("file://"))
    metadata: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for snapshot in metadata["snapshots"]:
        if snapshot["snapshot-id"] in times:
            snapshot["timestamp-ms"] = to_ms(times[snapshot["snapshot-id"]])
    for entry in metadata["snapshot-log"]:
        if entry["snapshot-id"] in times:
            entry["timestamp-ms"] = to_ms(times[entry["snapshot-id"]])
    if last_log is not None:
        metadata["snapshot-log"][-1]["timestamp-ms"] = to_ms(last_log)
    if cut_log:
        del metadata["snapshot-log"][:-1]
    metadata["last-updated-ms"] = max(one["timestamp-ms"] for one in metadata["snapshot-log"])
    path.write_text(json.dumps(metadata), encoding="utf-8")
    table.refresh()
