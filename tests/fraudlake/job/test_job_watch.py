"""``job status --watch``: rates between looks, and a cluster that is away for a while."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from fraudlake.job.watch import JobWatch, Seen
from pipelines.flink import FlinkRest
from pipelines.settings import FlinkSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = "Source__transactions.deserializer.fraudlake.contract.transaction.records"


class Cluster:
    """A Flink cluster with one job of one vertex, or one that is just starting."""

    def __init__(self) -> None:
        self.job_id = "a1"
        self.records = 0
        self.state = "RUNNING"
        self.is_away = False
        self.asked: list[str] = []
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cluster.asked.append(self.path)
                self.send_response(503 if cluster.is_away else 200)
                self.end_headers()
                self.wfile.write(json.dumps(cluster.answer(self.path)).encode())

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str) -> Any:
        if self.is_away:
            return {"errors": ["starting"]}
        _, _, rest = path.partition(f"/jobs/{self.job_id}")
        answers: dict[str, Any] = {
            "": {"jobs": [self.job()]},
            "/config": {"execution-config": {"user-config": {"ruleset": "classic@1"}}},
            "/checkpoints": {
                "counts": {"completed": 3, "failed": 0, "restored": 0},
                "latest": {
                    "completed": {
                        "latest_ack_timestamp": 8500,
                        "state_size": 2**20,
                        "end_to_end_duration": 40,
                    }
                },
            },
            "/metrics?get=numRestarts": [{"id": "numRestarts", "value": "0"}],
            "/exceptions": {"exceptionHistory": {"entries": []}},
            "/vertices/v1/subtasks/metrics": [{"id": RECORDS}, {"id": "busyTime"}],
            f"/vertices/v1/subtasks/metrics?get={RECORDS}": [
                {"id": RECORDS, "sum": self.records, "max": self.records}
            ],
        }
        return {"vertices": [{"id": "v1"}]} if path == f"/jobs/{self.job_id}" else answers[rest]

    def job(self) -> dict[str, Any]:
        job = {"jid": self.job_id, "name": "fraud", "state": self.state}
        return {**job, "start-time": 1000, "duration": 9000}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watch(cluster: Cluster, clock: Clock) -> JobWatch:
    settings = Settings(flink=FlinkSettings(rest_url=cluster.url, job_name="fraud"))
    return JobWatch(settings, FlinkRest(cluster.url), clock=clock)


def shown(seen: Seen) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(seen.render())
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_rates_are_between_two_looks(cluster: Cluster) -> None:
    clock = Clock()
    watching = watch(cluster, clock)
    cluster.records = 1000
    assert "records read 1,000 decisions" in shown(watching.look())
    cluster.records, clock.now = 6000, 102.0
    assert "records read 6,000 2,500 decisions" in shown(watching.look())
    cluster.records, clock.now = 70, 103.0  # its tasks were started anew: no rate, and none below 0
    assert "records read 70 decisions" in shown(watching.look())


def test_a_look_costs_a_handful_of_requests(cluster: Cluster) -> None:
    watching = watch(cluster, Clock())
    watching.look()
    cluster.asked.clear()
    watching.look()
    assert len(cluster.asked) <= 6


def test_age_of_the_checkpoint_is_by_the_clusters_clock(cluster: Cluster) -> None:
    seen = watch(cluster, Clock()).look()
    # The job began at 1,000 and is 9,000 old; the checkpoint was whole at 8,500.
    assert seen.as_json()["checkpoint_age_s"] == 1.5
    assert "newest checkpoint 1.5 s ago took 40 ms state 1.0 MiB" in shown(seen)


def test_cluster_that_is_away_is_waited_for_and_said_to_be_away(cluster: Cluster) -> None:
    clock = Clock()
    watching = watch(cluster, clock)
    cluster.records = 1000
    watching.look()
    cluster.is_away, clock.now = True, 107.0
    seen = watching.look()
    assert "records read 1,000" in shown(seen)  # the last that is known
    assert "no answer, looking again: Flink refused" in shown(seen)
    assert "(7 s)" in shown(seen)
    assert "starting" in str(seen.as_json()["trouble"])
    cluster.is_away, cluster.job_id, cluster.records = False, "b2", 5  # taken up under a new id
    seen = watching.look()
    assert "trouble" not in seen.as_json()
    assert seen.as_json()["records_read"] == 5


def test_figures_of_a_job_that_has_ended_are_not_shown(cluster: Cluster) -> None:
    """Once half of the decisions were shown: those of the task that ended last."""
    cluster.records, cluster.state = 1000, "CANCELED"
    seen = watch(cluster, Clock()).look()
    assert (seen.as_json()["state"], seen.as_json()["records_read"]) == ("CANCELED", None)


def test_cluster_that_was_never_there_is_no_crash() -> None:
    settings = Settings(flink=FlinkSettings(rest_url="http://127.0.0.1:1"))
    seen = JobWatch(settings, FlinkRest("http://127.0.0.1:1"), clock=Clock()).look()
    assert seen.as_json()["state"] == "absent"
    assert "no Flink cluster answers" in shown(seen)
