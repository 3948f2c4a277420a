"""The watch on real servers: a cancelled job, servers that are away, an hour that is not whole."""

from __future__ import annotations

import dataclasses
import json
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from pipeline_runs import await_values, running_job, running_sinks
from watch_daemon import Daemon, daemon_for

from fraudlake.job.stop import stop_job
from orchestration.defs.reconciliation import HOURS
from orchestration.hours_due import name_hour
from orchestration.keys import RECONCILIATION
from pipelines.flink import FlinkRest
from pipelines.ids import decision_id
from pipelines.kafka import connect_producer
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.progress import read_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TRANSACTIONS = 60
FLAGGED = 3
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)


@pytest.fixture
def daemon(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """With the settings of this test, as the daemon's processes read them."""
    with daemon_for(settings, monkeypatch) as one:
        yield one


def send_transactions(settings: Settings) -> None:
    """Payments of one hour that closed long ago, by Kafka's time as well; three are large.

    And one of the last second before it, and one of the first after.
    """
    producer = connect_producer(settings.kafka)
    moments = [HOUR + timedelta(seconds=30 * number) for number in range(TRANSACTIONS)]
    moments = [HOUR - timedelta(seconds=1), *moments, HOUR + timedelta(hours=1)]
    for number, moment in enumerate(moments, start=-1):
        content = {
            "transaction_id": f"t{number}",
            "event_time": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",
            "card_id": f"card-{number}",
            "customer_id": f"customer-{number}",
            "merchant_id": "merchant-1",
            "merchant_category": "5411",
            "amount": 500.0 if number in range(FLAGGED) else 10.0,
            "currency": "EUR",
            "channel": "pos",
        }
        producer.produce(
            settings.kafka.topics().transactions.name,
            key=str(content["card_id"]).encode(),
            value=json.dumps(content).encode(),
            timestamp=round(moment.timestamp() * 1000),
        )
    assert producer.flush(30) == 0


def reconcile(daemon: Daemon) -> dict[str, dg.AssetCheckEvaluation]:
    """The checks of the hour, run as a backfill of one partition."""
    job = daemon.location.resolve_implicit_job_def_def_for_assets([RECONCILIATION])
    assert job is not None
    hour = name_hour(HOUR)
    daemon.instance.add_dynamic_partitions(str(HOURS.name), [hour])
    result = job.execute_in_process(
        instance=daemon.instance, asset_selection=[RECONCILIATION], partition_key=hour
    )
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def await_rows(settings: Settings, rows: int) -> None:
    deadline = time.monotonic() + 90
    while read_progress(settings)["decisions"].rows < rows:
        assert time.monotonic() < deadline, "the sink stored too few decisions"
        time.sleep(0.5)


def delete_row(settings: Settings, decision: str) -> None:
    """As somebody with rights on the catalog could."""
    with open_catalog(settings) as catalog:
        table = catalog.load_table((settings.lakehouse.namespace, "decisions"))
        table.delete(f"decision_id = '{decision}'")


def test_hour_is_whole_until_a_row_is_taken_away_which_is_then_named(
    settings: Settings, daemon: Daemon
) -> None:
    with running_job(settings, ruleset="classic"), running_sinks(settings):
        send_transactions(settings)
        sent = TRANSACTIONS + 2
        decisions = await_values(settings.kafka, settings.kafka.topics().decisions.name, sent)
        await_rows(settings, sent)
        line = daemon.tick()
        assert f"{sent} decisions stored" in line, line
        assert daemon.commits() == 1

        whole = reconcile(daemon)
        assert whole["stored_once"].passed, whole["stored_once"].description
        assert f"0 of {TRANSACTIONS} decisions in Iceberg missing" in str(
            whole["stored_once"].description
        )
        deadline = time.monotonic() + 60
        while not (alerted := reconcile(daemon)["alerted_once"]).passed:
            assert time.monotonic() < deadline, alerted.description
        assert f"0 of {FLAGGED} alerts in Elasticsearch missing" in str(alerted.description)
        stop_job(settings)  # as somebody who means it: a tick starts a cancelled one again

    victim = next(one for one in decisions if one["transaction"]["transaction_id"] == "t17")
    delete_row(settings, victim["decision_id"])
    broken = reconcile(daemon)["stored_once"]

    assert not broken.passed
    assert broken.severity is dg.AssetCheckSeverity.ERROR
    assert f"1 of {TRANSACTIONS} decisions in Iceberg missing" in str(broken.description)
    source = victim["source"]
    place = f"({source['partition']}, {source['offset']})"
    assert victim["decision_id"] == decision_id(**source)
    assert victim["decision_id"] in str(broken.metadata["first faults"].value)
    assert place in str(broken.metadata["to see them"].value)

    # The commit that took it away is new, once: also for a daemon that died before it had kept the
    # cursor of the tick that told of it.
    before = daemon.cursor
    daemon.tick()
    assert daemon.commits() == 2
    again = Daemon(daemon.instance)
    again.cursor = before
    again.tick()
    assert again.commits() == 2


def test_cancelled_job_is_started_again_once_and_a_stopped_one_stays_stopped(
    settings: Settings, daemon: Daemon
) -> None:
    rest = FlinkRest(settings.flink.rest_url)
    with running_job(settings, ruleset="classic") as deployment:
        assert "job RUNNING" in daemon.tick()
        assert daemon.outcome("running").startswith(f"job {deployment.job_id} RUNNING")
        print(f"tick with all servers up: {daemon.seconds:.2f} s")

        cancelled_at = time.monotonic()
        rest.cancel(deployment.job_id)
        rest.await_end(deployment.job_id, wait_seconds=30)
        daemon.tick()

        (run,) = daemon.runs
        assert run.success
        assert daemon.repairs() == ["restored"]
        running = rest.active_job(settings.flink.job_name)
        assert running is not None
        assert running.job_id != deployment.job_id
        assert daemon.outcome("running").startswith(f"job {running.job_id} RUNNING")
        print(f"green again after {time.monotonic() - cancelled_at:.1f} s")
        # At most a minute passes before the sensor ticks.
        assert time.monotonic() - cancelled_at < 120

        assert "job RUNNING" in daemon.tick()
        assert len(daemon.runs) == 1

        stop_job(settings)
        daemon.tick()
        assert len(daemon.runs) == 1
        assert "fraudlake job stop" in daemon.outcome("running")


@contextmanager
def silent_server() -> Iterator[str]:
    """A port that takes connections and never answers: worse than one that refuses them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def point_at(settings: Settings, away: str, server: str) -> Settings:
    """The settings with one server elsewhere."""
    others: dict[str, Any] = {
        "kafka": {"bootstrap_servers": away},
        "flink": {"rest_url": f"http://{away}"},
        "elasticsearch": {"url": f"http://{away}"},
        "lakehouse": {"catalog_uri": f"http://{away}/catalog", "warehouse": "w"},
    }
    section = dataclasses.replace(getattr(settings, server), **others[server])
    return dataclasses.replace(settings, **{server: section})


WORDS = {
    "kafka": "no Kafka broker answers at",
    "flink": "no Flink cluster answers at",
    "elasticsearch": "Elasticsearch at",
    "lakehouse": "catalog",
}


SEEN = {"kafka": "transactions wait", "elasticsearch": "0 alerts", "lakehouse": "no tables yet"}


@pytest.mark.parametrize("server", list(WORDS))
def test_server_that_is_away_is_said_in_words_and_the_others_are_seen(
    settings: Settings, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    daemon.tick()
    with silent_server() as away:
        for name, value in point_at(settings, away, server).to_env().items():
            monkeypatch.setenv(name, value)
        line = daemon.tick()
        # Two seconds for each question may be too few on a machine that has much else to do.
        for _ in range(5):
            if all(words in line for other, words in SEEN.items() if other != server):
                break
            line = daemon.tick()
    print(f"tick with {server} silent: {daemon.seconds:.2f} s: {line}")

    assert WORDS[server] in line or "did not answer within" in line
    for other, words in SEEN.items():
        assert (words in line) is (other != server), line
    assert daemon.seconds < 6
    assert daemon.runs == []
