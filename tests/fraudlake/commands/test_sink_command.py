"""``fraudlake sink``: which sink runs, and how it is told to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.stack import sinks
from fraudlake.stack.session_mark import is_marked
from fraudlake.stack.sinks import SinkReport
from sinks.lakehouse.ingest import run as module

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """The sink logs to a stream that is closed behind the test, and quiets two libraries."""
    loggers = [logging.getLogger(name) for name in (None, "elastic_transport", "pyiceberg")]
    handlers, levels = list(loggers[0].handlers), [logger.level for logger in loggers]
    yield
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def own_signals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_asks_the_lakehouse_sink_to_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def run(
        settings: Settings,
        *,
        stop: threading.Event,
        accept_gap: bool,
        on_session: Callable[[bool], None],
    ) -> None:
        marks = []
        for is_open in (True, False):
            on_session(is_open)
            marks.append(is_marked(settings.stack.home, "lakehouse-sink"))
        seen.update(marks=marks)
        os.kill(os.getpid(), signal.SIGTERM)
        seen.update(stopped=stop.wait(10), gap=accept_gap, namespace=settings.lakehouse.namespace)

    monkeypatch.setattr(module, "run", run)

    result = CliRunner().invoke(app, ["sink", "lakehouse", "--accept-gap"])

    assert result.exit_code == 0
    assert seen == {
        "marks": [True, False],
        "stopped": True,
        "gap": True,
        "namespace": "fraud",
    }


def test_both_sinks_are_offered() -> None:
    result = CliRunner().invoke(app, ["sink", "--help"])

    assert "lakehouse" in result.output
    assert "alerts" in result.output


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["lakehouse-sink", "alerts-sink"]),
        (["lakehouse"], ["lakehouse-sink"]),
        (["alerts"], ["alerts-sink"]),
    ],
)
def test_stack_is_told_which_sinks_to_stop(
    words: list[str], parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(settings: Settings, part: str) -> SinkReport:
        return SinkReport(part=part, outcome="stopped", pid=None, uptime_seconds=0, log="a.log")

    monkeypatch.setattr(sinks, "stop_sink", stop)

    result = CliRunner().invoke(app, ["sink", "stop", *words, "--json"])

    assert [report["part"] for report in json.loads(result.stdout)["sinks"]] == parts
    assert json.loads(result.stdout)["sinks"][0]["outcome"] == "stopped"
