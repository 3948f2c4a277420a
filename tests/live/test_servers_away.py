"""Each server of the stack is stopped in turn: it is named, nothing hangs, and all comes back."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pipeline_runs import await_values, running_job, running_sinks
from test_job_decisions import send_transactions, transaction
from test_job_upgrade import until
from watch_daemon import Daemon, daemon_for

from fraudlake.job.keeper import restore_if_lost
from fraudlake.stack.home import Home
from fraudlake.stack.readiness import answers
from fraudlake.stack.supervisor import Supervisor
from orchestration.keys import JOB
from orchestration.resources import AlertIndex, Audit, Broker, Stream
from orchestration.watching.checks import LOOK_CHECKS
from orchestration.watching.looking import LOOK_SECONDS, Lookout
from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
LONGEST_S = 60.0
"""For a question outside the watch, such as one of the reconciliation's."""


@pytest.fixture
def daemon(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    with daemon_for(settings, monkeypatch) as one:
        yield one


@contextmanager
def stopped(settings: Settings, part: str) -> Iterator[None]:
    """A server that has really ended within the block, and answers again behind it."""
    supervisor = Supervisor(Home(path=settings.stack.home.resolve()))
    supervisor.halt(part)
    until(lambda: supervisor.states()[part].state == "STOPPED")
    try:
        yield
    finally:
        supervisor.launch(part)
        until(lambda: answers(part, settings), seconds=120)


def complaints(*, but: frozenset[str] = frozenset()) -> list[str]:
    """The sentence of each check that is not green."""
    glance = Lookout().look(datetime.now(UTC))
    verdicts = {check.name: check.judge(glance) for check in LOOK_CHECKS if check.name not in but}
    return [f"{name}: {one.sentence}" for name, one in verdicts.items() if not one.passed]


def fail_soon(ask: Callable[[], object], words: str) -> None:
    """TransientError with these words; an asset or check turns it into a step that tries again."""
    begun = time.monotonic()
    with pytest.raises(TransientError) as caught:
        ask()
    assert words in str(caught.value)
    assert time.monotonic() - begun < LONGEST_S


def test_each_server_that_is_stopped_is_named_and_all_is_green_again_behind_its_start(
    settings: Settings, daemon: Daemon, index: Elasticsearch
) -> None:
    kafka, topics = settings.kafka, settings.kafka.topics()
    questions: dict[str, tuple[str, list[Callable[[], object]]]] = {
        "elasticsearch": (
            f"Elasticsearch at {settings.elasticsearch.url} does not answer",
            [AlertIndex().count_ids, lambda: Audit().gather_hour(HOUR, log=print)],
        ),
        "kafka": (
            f"no Kafka broker answers at {kafka.bootstrap_servers}",
            [
                lambda: Broker().count_records(topics.transactions),
                lambda: Audit().gather_hour(HOUR, log=print),
            ],
        ),
        "jobmanager": (
            f"no Flink cluster answers at {settings.flink.rest_url}",
            [Stream().find, lambda: restore_if_lost(settings)],
        ),
    }
    with running_job(settings, ruleset="classic"):
        with running_sinks(settings):
            send_transactions(kafka, *(transaction(n, n) for n in range(20)))
            until(lambda: "20 decisions stored" in daemon.tick(), seconds=90)
        assert complaints() == []

        for server, (words, asked) in questions.items():
            with stopped(settings, server):
                line = daemon.tick()
                print(f"{server} stopped: a tick of {daemon.seconds:.2f} s: {line}")
                assert words in line, line
                assert "20 decisions stored" in line
                assert daemon.seconds < LOOK_SECONDS + 1
                for ask in asked:
                    fail_soon(ask, words)
            if server == "jobmanager":
                assert restore_if_lost(settings) is not None  # the keeper's part
            # What it took to get over it stays yellow for ten minutes, and is all that does.
            until(lambda: complaints(but=frozenset({"restarts"})) == [], seconds=90)
            Audit().gather_hour(HOUR, log=print)

        assert not daemon.outcome("restarts", JOB).startswith("RED")
        assert daemon.runs == []
        send_transactions(kafka, *(transaction(n, n) for n in range(20, 30)))
        await_values(kafka, topics.decisions.name, 30)
