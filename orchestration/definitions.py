"""The code location: everything in ``defs/``, one step after the other in the run's own process.

The settings are read when an asset or a job runs, never when this is loaded, so that the graph can
be looked at without a single server.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """All of it. A new process for each step, the default, would cost some ten seconds each."""
    folder = Path(__file__).parent
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=folder),
        dg.Definitions(executor=dg.in_process_executor),
    )
