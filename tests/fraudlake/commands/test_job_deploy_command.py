"""How `fraudlake job deploy` ends when it is asked to."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.job import deploy

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {ending: signal.signal(ending, signal.SIG_IGN) for ending in ENDINGS}
    yield
    for ending, handler in before.items():
        signal.signal(ending, handler)


@pytest.mark.parametrize("ending", ENDINGS)
def test_deployment_that_is_asked_to_end_is_interrupted_in_order(
    monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    """A cancelled run of Dagster's killed it in the gap, and nothing was taken back."""
    taken_back: list[str] = []

    def change(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), ending)
        except KeyboardInterrupt:
            taken_back.append("yes")
            raise

    monkeypatch.setattr(deploy, "deploy_job", change)
    done = CliRunner().invoke(app, ["job", "deploy"])
    assert taken_back == ["yes"]
    assert done.exit_code != 0
