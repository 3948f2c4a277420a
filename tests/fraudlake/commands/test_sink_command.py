"""``fraudlake sink``: which sink runs, and how it is told to stop."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from sinks.lakehouse import run as module

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def own_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_asks_the_lakehouse_sink_to_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(settings: Settings, *, stop: threading.Event, accept_gap: bool) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        seen.update(stopped=stop.wait(10), gap=accept_gap, namespace=settings.lakehouse.namespace)

    monkeypatch.setattr(module, "run", run)

    result = CliRunner().invoke(app, ["sink", "lakehouse", "--accept-gap"])

    assert result.exit_code == 0
    assert seen == {"stopped": True, "gap": True, "namespace": "fraud"}


def test_both_sinks_are_offered() -> None:
    result = CliRunner().invoke(app, ["sink", "--help"])

    assert "lakehouse" in result.output
    assert "alerts" in result.output
