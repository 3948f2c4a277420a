"""An alert sink that kills itself at one step of its work: ``doomed_alert_sink.py STEP [SIGNAL]``.

It takes a few records at once and dies at the second time it comes to STEP, so that it has done
something before. With ``SIGSTOP`` it stands still there until somebody wakes it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from pipelines.settings import Settings
from sinks.alerts import reader, settle
from sinks.alerts import run as sink
from sinks.alerts.months import Months
from sinks.alerts.reader import AlertReader

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = (
    "records read",
    "month made",
    "before a bulk request",
    "between two bulk requests",
    "behind a bulk request",
    "behind the dead letters",
    "before the offsets",
    "behind the offsets",
)
BATCH_RECORDS = 10
REQUEST_BYTES = 8_000
"""Two alerts or so: a batch is several requests."""
SESSION_MS = 6_000
"""The shortest that the broker takes: so long nobody reads on after a kill."""


def main() -> None:
    """Run until killed by itself."""
    step = sys.argv[1]
    sink.BATCH_RECORDS = BATCH_RECORDS
    settle.MAX_REQUEST_BYTES = REQUEST_BYTES
    reader._SESSION_MS = SESSION_MS
    _doom(step)
    sink.run(Settings.from_env(), stop=threading.Event())


def _doom(step: str) -> None:
    match step:
        case "records read":
            AlertReader.read = _then_die(AlertReader.read)  # type: ignore[method-assign]
        case "month made":
            Months._create = _then_die(Months._create, at=1)  # type: ignore[method-assign]
        case "before a bulk request":
            sink.send_bulk = _die_first(sink.send_bulk)
        case "between two bulk requests":
            sink.send_bulk = _die_first(sink.send_bulk, at=5)
        case "behind a bulk request":
            sink.send_bulk = _then_die(sink.send_bulk)
        case "behind the dead letters":
            sink.write_letters = _then_die(sink.write_letters, at=1)
        case "before the offsets":
            AlertReader.commit = _die_first(AlertReader.commit)  # type: ignore[method-assign]
        case "behind the offsets":
            AlertReader.commit = _then_die(AlertReader.commit)  # type: ignore[method-assign]
        case _:
            msg = f"no such step: {step}; one of {', '.join(STEPS)}"
            raise SystemExit(msg)


def _die_first(work: Callable[..., Any], *, at: int = 2) -> Callable[..., Any]:
    calls = 0

    def doomed(*words: Any, **names: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            _die()
        return work(*words, **names)

    return doomed


def _then_die(work: Callable[..., Any], *, at: int = 2) -> Callable[..., Any]:
    calls = 0

    def doomed(*words: Any, **names: Any) -> Any:
        nonlocal calls
        result = work(*words, **names)
        # A read that brought nothing was no step; the others give nothing or something at once.
        calls += result != []
        if calls == at:
            _die()
        return result

    return doomed


def _die() -> None:
    os.kill(os.getpid(), signal.Signals[sys.argv[2]] if len(sys.argv) > 2 else signal.SIGKILL)


if __name__ == "__main__":
    main()
