"""Ticks the watch by hand: ``python -m orchestration.ticking TIMES``, for who measures it.

Each tick is the sensor's own, its events are stored as the daemon stores them, in memory, and the
cursor goes on to the next. What it asks to be run is not run. A JSON line says how long each took,
and what it said.
"""

from __future__ import annotations

import json
import os
import sys
import time

import dagster as dg

from orchestration.definitions import defs
from orchestration.defs.watch import stream_watch


def main() -> None:
    location = defs()
    cursor: str | None = None
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(int(sys.argv[1])):
            begun = time.monotonic()
            context = dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                definitions=location,
                resources=dict(location.resources or {}),
            )
            found = stream_watch.evaluate_tick(context)
            for event in found.asset_events:
                instance.report_runless_asset_event(event)
            cursor = found.cursor
            seconds = time.monotonic() - begun
            sys.stdout.write(json.dumps({"seconds": seconds, "line": found.skip_message}) + "\n")
    sys.stdout.flush()
    # Questions to a silent server that were left behind would be waited for, a minute each.
    os._exit(0)


if __name__ == "__main__":
    main()
