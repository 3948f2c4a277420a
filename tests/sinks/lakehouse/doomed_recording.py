"""A recording that is killed beside its commit: ``doomed_recording.py before|behind``."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime

from pipelines.settings import Settings
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.rulesets import record_rulesets


def main() -> None:
    """Die where the argument says."""
    land = PreparedSnapshot.commit

    def commit(self: PreparedSnapshot) -> None:
        if sys.argv[1] == "behind":
            land(self)
        os.kill(os.getpid(), signal.SIGKILL)

    PreparedSnapshot.commit = commit  # type: ignore[method-assign]
    record_rulesets(Settings.from_env(), now=datetime.now(UTC))


if __name__ == "__main__":
    main()
