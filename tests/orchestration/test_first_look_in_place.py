"""A new instance of Dagster beside a pipeline that is there: it is told of, and left as it is."""

from __future__ import annotations

import http.server
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from staleness import why_behind

from orchestration.code_version import job_code_version
from orchestration.definitions import defs
from orchestration.defs.first_look import CAREFUL, first_look
from orchestration.defs.rules import active
from orchestration.defs.sinks import alerts_sink
from orchestration.defs.stream import fraud_detection
from orchestration.keys import ALERTS_SINK, COMPACTION, EXPIRY, JOB, RETENTION, RULES, SWEEP
from orchestration.resources import RuleDesk, Stream
from pipelines.features import load_features
from pipelines.job_memory import Remembered, remember
from pipelines.published_rules import publish, read_published
from pipelines.rules import load_ruleset, read_ruleset, shipped_rulesets
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

JOB_ID = "a" * 32
OLD = Remembered(job_id="c" * 32, ruleset="speed@0", code="0123")
NAMES = {JOB: "the job", RULES: "the rules"}


class Cluster:
    """A cluster that works on the job, or on nothing."""

    def __init__(self) -> None:
        self.state: str | None = None
        self.ruleset = ""
        """As the job says it itself, if it does."""
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_config = self.path.endswith(f"/{JOB_ID}/config")
                answer = cluster.config() if is_config else {"jobs": cluster.jobs()}
                body = json.dumps(answer).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write(head.encode() + body)
                self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def config(self) -> Mapping[str, Any]:
        said = {"ruleset": self.ruleset} if self.ruleset else {}
        return {"execution-config": {"user-config": said}}

    def jobs(self) -> Sequence[Mapping[str, Any]]:
        if self.state is None:
            return []
        name = Settings.from_env().flink.job_name
        times = {"start-time": 1_000, "duration": 9_000}
        return [{"jid": JOB_ID, "name": name, "state": self.state, **times}]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    found = Cluster()
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FRAUDLAKE_FLINK_REST_URL", found.url)
    yield found
    found.server.shutdown()
    found.server.server_close()


class WatchedStream(Stream):
    """The job as it is, deployed by nobody but a test that says so."""

    def __init__(self) -> None:
        self.deployed = 0

    def deploy(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        self.deployed += 1
        known = {"job_id": JOB_ID, "ruleset": "r@1", "build": "b", "savepoint": None}
        return {"outcome": "started", "switch": None, **known}


def look(stream: WatchedStream) -> dict[str, dict[str, Any]]:
    """What the run that ``first_look`` asks for says of rules and job."""
    location = dg.Definitions(
        assets=[active, fraud_detection],
        sensors=[first_look],
        resources={"stream": stream, "rule_desk": RuleDesk()},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, repository_def=location.get_repository_def()
        )
        ticked = first_look(context)
        assert isinstance(ticked, dg.SensorResult)
        (request,) = ticked.run_requests or ()
        run = location.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=list(request.asset_selection or ()),
            run_config=request.run_config,
        )
    return {
        NAMES[event.asset_key]: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in run.get_asset_materialization_events()
        if event.asset_key is not None
    }


def deployed(ruleset: str, *, name: str, **other: Any) -> Remembered:
    known = Remembered(job_id=JOB_ID, ruleset=ruleset, ruleset_name=name, has_run=True)
    remember(Settings.from_env(), replace(known, **other))
    return known


def test_first_run_deploys_where_there_never_was_a_job(cluster: Cluster) -> None:
    stream = WatchedStream()
    seen = look(stream)
    assert stream.deployed == 1
    assert seen["the job"]["deployed"] == "started"
    assert seen["the rules"]["published before"] == "none"

    # A first deployment that Flink refused is tried again by the next run.
    deployed("", name="speed", has_run=False)
    look(stream)
    assert stream.deployed == 2


def test_job_that_was_stopped_stays_stopped(cluster: Cluster) -> None:
    """A new instance started it again."""
    speed = load_ruleset("speed", load_features()).version
    deployed(speed, name="speed", is_stopped=True, savepoint="file:/savepoint-1")
    stream = WatchedStream()

    seen = look(stream)

    assert stream.deployed == 0
    assert seen["the job"]["deployed"].startswith("found stopped, and left so")
    assert seen["the rules"]["rule set"] == speed


def test_edited_rule_file_is_neither_published_nor_deployed(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A new instance published it, and replaced the running job by one of it."""
    mine = tmp_path / "mine.toml"
    text = shipped_rulesets()["speed"].read_text()
    mine.write_text(text)
    before = read_ruleset(mine, load_features())
    deployed(before.version, name=str(mine))
    cluster.state, cluster.ruleset = "RUNNING", before.version
    edited = text.replace(f"block_at = {before.block_at}", "block_at = 0.97")
    assert edited != text
    mine.write_text(edited)
    stream = WatchedStream()

    seen = look(stream)

    assert stream.deployed == 0
    assert seen["the job"]["deployed"] == "found in place, and left as it is"
    assert seen["the job"]["rule set"] == before.version
    assert f"was deployed with {before.version}, and {mine} is not that" in str(seen["the rules"])
    assert read_published(Settings.from_env()) is None

    # What was published before its source was edited stays in force.
    mine.write_text(text)
    publish(Settings.from_env(), ruleset=str(mine), now=datetime(2026, 3, 1, tzinfo=UTC))
    mine.write_text(edited)
    seen = look(stream)
    assert seen["the rules"]["rule set"] == before.version
    assert "is what it was" in seen["the rules"]["changes"]


def test_job_that_is_being_submitted_beside_says_its_rules_itself(cluster: Cluster) -> None:
    """`make ui` starts both at once, and the page said that the rules were not known."""
    deployed("", name="speed", has_run=False)
    cluster.state, cluster.ruleset = "RUNNING", "speed@0123"
    assert look(WatchedStream())["the job"]["rule set"] == "speed@0123"


def test_job_that_runs_and_was_deployed_from_elsewhere_is_left_alone(cluster: Cluster) -> None:
    cluster.state = "RESTARTING"
    stream = WatchedStream()
    seen = look(stream)
    assert stream.deployed == 0
    assert seen["the job"]["rule set"] == "not known: it was not deployed from here"


OURS = job_code_version()
BEHIND = ["has a new code version"]


@pytest.mark.parametrize(
    ("state", "known", "tells", "behind"),
    [
        ("RUNNING", {"code": OURS}, "that of this release", []),
        ("FAILED", {"code": OURS}, "that of this release", []),
        ("RUNNING", {"code": "0123"}, "of another release (0123); this one's is", BEHIND),
        ("FAILED", {"code": "0123"}, "of another release (0123); this one's is", BEHIND),
        ("RUNNING", {}, "not known; this one's is", BEHIND),
        ("RUNNING", {"code": OURS, "job_id": "b" * 32}, "not known", BEHIND),
        # Without a checkpoint yet: the old one may come back.
        ("RUNNING", {"code": OURS, "replaces": OLD}, "not known", BEHIND),
        ("FAILED", {"code": OURS, "replaces": OLD}, "not known", BEHIND),
    ],
    ids=str,
)
def test_job_that_is_found_in_place_is_shown_with_its_own_code(
    cluster: Cluster, state: str, known: Mapping[str, Any], tells: str, behind: Sequence[str]
) -> None:
    """One of an older release was marked as up to date by the look at it."""
    deployed("speed@1", name="speed", **known)
    cluster.state = state
    config = {"ops": {JOB.to_python_identifier(): {"config": dict(CAREFUL[JOB])}}}
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [fraud_detection],
            instance=instance,
            resources={"stream": WatchedStream()},
            run_config=config,
        )
        [event] = run.get_asset_materialization_events()
        assert str(event.materialization.metadata["code"].value).startswith(tells)
        assert why_behind(instance) == behind


def test_job_that_has_ended_is_left_to_the_watch(cluster: Cluster) -> None:
    deployed("speed@1", name="speed")
    cluster.state = "FAILED"
    stream = WatchedStream()
    assert look(stream)["the job"]["deployed"].startswith("found ended")
    assert stream.deployed == 0


def test_whole_location_is_asked_with_care_and_nothing_is_deleted() -> None:
    """Expiry, sweep and retention deleted in the first seconds of a new instance."""
    location = defs()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance=instance, repository_def=location.get_repository_def()
        )
        ticked = first_look(context)
    assert isinstance(ticked, dg.SensorResult)
    (request,) = ticked.run_requests or ()

    keys = set(request.asset_selection or ())
    assert keys >= CAREFUL.keys()
    for key in (COMPACTION, EXPIRY, SWEEP, RETENTION):
        assert request.run_config["ops"][key.to_python_identifier()]["config"]["only_look"] is True
    job = location.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    assert dg.validate_run_config(job, request.run_config)


class FakeSinks:
    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def run_elsewhere(self) -> bool:
        return False

    def act(
        self, action: str, *words: str, log: Callable[[str], object]
    ) -> Sequence[Mapping[str, Any]]:
        self.asked.append((action, *words))
        return [{"outcome": "already stopped", "log": "/logs/a", "pid": None, "uptime_seconds": 0}]


def test_sink_that_was_stopped_is_not_started() -> None:
    sinks = FakeSinks()
    name = ALERTS_SINK.to_python_identifier()
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            [alerts_sink],
            instance=instance,
            resources={"sinks": sinks},
            run_config={"ops": {name: {"config": dict(CAREFUL[ALERTS_SINK])}}},
        )
    assert sinks.asked == [("start", "alerts", "--unless-stopped")]
