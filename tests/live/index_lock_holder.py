"""Holds the lock of the alert indices; at each line it reads, it confirms that it still does."""

from __future__ import annotations

import sys

from pipelines.errors import TransientError
from pipelines.settings import Settings
from sinks.alerts.index_lock import hold_indices


def main() -> None:
    """Until the input ends."""
    with hold_indices(Settings.from_env(), "a long rebuild") as confirm:
        _say("held")
        for _ in sys.stdin:
            try:
                confirm()
            except TransientError as error:
                _say(f"lost: {error}")
            else:
                _say("still held")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
