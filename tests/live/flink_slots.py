"""Flink as the next test wants it: every slot there, and free."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.errors import FraudlakeError, TransientError
from pipelines.flink import ENDED_STATES, FlinkRest

if TYPE_CHECKING:
    from pipelines.settings import Settings

PATIENCE_SECONDS = 30.0
END_SECONDS = 60.0


def give_slots_back(stack: Settings) -> None:
    """A job that a test left running would starve the next: it is ended, and the test fails.

    So does a TaskManager that has not come back. Who restarts servers may need a moment for it.
    """
    url, wanted = stack.flink.rest_url, stack.stack.taskmanagers * stack.stack.taskmanager_slots
    seen, left = "Flink does not answer", list[dict[str, Any]]()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(TransientError, OSError):
            cluster, left = FlinkRest(url).cluster(), list_unended(url)
            seen = f"{cluster.slots_free} of {wanted} slots are free"
            if cluster.slots_free == wanted and not left:
                return
        time.sleep(0.5)
    for job in left:
        with contextlib.suppress(FraudlakeError):  # it has ended by itself meanwhile
            FlinkRest(url).cancel(job["jid"])
            FlinkRest(url).await_end(job["jid"], wait_seconds=END_SECONDS)
    named = ", ".join(f"{job['name']} ({job['jid']}, {job['state']})" for job in left)
    pytest.fail(f"after this test {seen}; left running: {named or 'no job'}")


def list_unended(rest_url: str) -> list[dict[str, Any]]:
    """Jobs of any name."""
    with urllib.request.urlopen(f"{rest_url}/jobs/overview", timeout=10) as answer:
        return [job for job in json.load(answer)["jobs"] if job["state"] not in ENDED_STATES]
