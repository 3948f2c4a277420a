"""Two commands that change the alert indices, on two machines: one at a time.

A machine is a process with a stack home of its own here; they share nothing but Elasticsearch.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alert_index import MONTH, documents, fill, names
from alert_runs import alert_id, await_caught_up, make_alert, running, send

from pipelines.errors import TransientError
from sinks.alerts.apply import apply_index
from sinks.alerts.index_lock import name_lock
from sinks.alerts.indices import read_inventory
from sinks.alerts.retention import expire_months

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TRANSIENT_CODE = 3
COMMAND_SECONDS = 60
TODAY = date(2026, 11, 27)


class Machine:
    """Where commands run."""

    def __init__(self, settings: Settings, home: Path) -> None:
        home.mkdir()
        self.environ = {**os.environ, **settings.to_env(), "FRAUDLAKE_STACK_HOME": str(home)}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fraudlake.cli", "alerts", *words],
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    @contextmanager
    def holding(self) -> Iterator[Holding]:
        """A process that has the lock."""
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("index_lock_holder.py")],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            holding = Holding(process)
            assert holding.hear() == "held"
            try:
                yield holding
            finally:
                process.kill()


class Holding:
    """A conversation with the process that has the lock."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def confirm(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.hear()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(COMMAND_SECONDS) == 0


@pytest.fixture
def machines(settings: Settings, tmp_path: Path) -> tuple[Machine, Machine]:
    return Machine(settings, tmp_path / "one"), Machine(settings, tmp_path / "other")


def test_second_command_is_refused_while_the_first_is_at_work_elsewhere(
    settings: Settings, index: Elasticsearch, machines: tuple[Machine, Machine]
) -> None:
    one, other = machines
    fill(settings, 1)
    with one.holding() as first:
        for words in (["apply", "--reindex", "--month", MONTH], ["expire"]):
            refused = other.run(*words)
            assert refused.returncode == TRANSIENT_CODE, refused.stderr
            assert "are being changed by `a long rebuild`" in refused.stderr
            assert f"(process {first.process.pid} on " in refused.stderr
        assert first.confirm() == "still held"
        assert other.run("diff").returncode == 0  # to look is always allowed
        first.end()

    assert other.run("apply", "--reindex", "--month", MONTH).returncode == 0
    assert names(index, settings) == ["r2.2026.11"]
    assert not index.exists(index=name_lock(settings.elasticsearch.index), id="indices")


def test_lock_of_a_killed_command_is_taken_over_with_a_sentence(
    settings: Settings, index: Elasticsearch, machines: tuple[Machine, Machine]
) -> None:
    one, other = machines
    fill(settings, 1)
    with one.holding() as first:
        first.process.kill()
        first.process.wait(COMMAND_SECONDS)

        applied = other.run("apply")

    assert applied.returncode == 0, applied.stderr
    assert f"(process {first.process.pid} on " in applied.stderr
    assert "has not been heard of for 15 s: taken over from it" in applied.stderr


def test_command_that_stood_still_finds_out_before_it_goes_on(
    settings: Settings, index: Elasticsearch, machines: tuple[Machine, Machine]
) -> None:
    one, other = machines
    with one.holding() as first:
        assert first.confirm() == "still held"
        os.kill(first.process.pid, signal.SIGSTOP)
        with other.holding() as second:
            os.kill(first.process.pid, signal.SIGCONT)

            said = first.confirm()

            assert said.startswith("lost: the alert indices are being changed by `a long rebuild`")
            assert f"(process {second.process.pid} on " in said
            first.end()  # and leaves the lock to the other one
            assert second.confirm() == "still held"
            second.end()


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_rebuild_that_has_lost_the_lock_leaves_everything_as_it_was(
    settings: Settings, index: Elasticsearch, step: int
) -> None:
    fill(settings, 3)

    with pytest.raises(TransientError, match="lost"):
        apply_index(settings, reindex=True, months=[MONTH], confirm=lose_at(step))

    [month] = read_inventory(index, settings.elasticsearch.index).months
    assert (month.name, month.is_writable) == (f"{settings.elasticsearch.index}-{MONTH}", True)
    assert len(documents(index, settings)) == 3


def test_expiry_that_has_lost_the_lock_deletes_nothing(
    settings: Settings, index: Elasticsearch
) -> None:
    old = f"{settings.elasticsearch.index}-2019.02"
    fill(settings, 2)
    send(settings, make_alert(9, 1, opened_at="2019-02-03T04:05:06Z"))
    with running(settings):
        await_caught_up(settings)
    index.update(index=old, id=alert_id(9), doc={"case": {"status": "closed"}}, refresh=True)

    with pytest.raises(TransientError, match="lost"):
        expire_months(settings, today=TODAY, keep_months=1, confirm=lose_at(1))

    [kept, _] = read_inventory(index, settings.elasticsearch.index).months
    assert (kept.name, kept.is_writable) == (old, True)
    assert expire_months(settings, today=TODAY, keep_months=1).deleted == (old,)


def lose_at(step: int) -> Callable[[], None]:
    """As a lock that somebody else has when it is asked for that time."""
    calls = itertools.count(1)

    def confirm() -> None:
        if next(calls) == step:
            msg = "lost"
            raise TransientError(msg)

    return confirm
