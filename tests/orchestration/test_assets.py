from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
import typer.main

from fraudlake.cli import app
from orchestration.definitions import defs
from orchestration.defs.alerts import fraud_alerts
from orchestration.defs.ingest import transactions
from orchestration.defs.stream import Deployment, fraud_detection
from orchestration.defs.traffic import TrafficConfig, send_traffic, write_command
from orchestration.failures import translate_failures
from pipelines.errors import FraudlakeError, TerminalError, TransientError
from pipelines.features import load_features
from pipelines.rules import load_ruleset
from pipelines.topics import Topic, Topics, declare_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipelines.features import Stage

SWITCH = {
    "records": 900,
    "lost": 0,
    "doubled": 0,
    "gap_s": 7.5,
    "decided_under_new": 400,
    "is_stuck": False,
}
ANSWER = {
    "outcome": "replaced",
    "job_id": "new",
    "ruleset": "speed@0123456789ab",
    "build": "00aa",
    "savepoint": "file:/savepoint-1",
    "switch": SWITCH,
}
UNCHANGED = {**ANSWER, "outcome": "unchanged", "savepoint": None, "switch": None}


class FakeBroker:
    """Holds topics in memory."""

    def __init__(self) -> None:
        self.existing: set[str] = set()

    def topics(self) -> Topics:
        return declare_topics(prefix="eu-", partitions=3)

    def create(self, topic: Topic) -> bool:
        is_new = topic.name not in self.existing
        self.existing.add(topic.name)
        return is_new

    def read_settings(self, topic: Topic) -> dict[str, str]:
        return {"max.message.bytes": "1048588", **topic.config()}

    def count_records(self, topic: Topic) -> int:
        return 41


class FakeStream:
    """Answers as the commands would, and remembers what it was asked for."""

    def __init__(self, answer: Mapping[str, Any] | Exception = ANSWER) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def page_of(self, job_id: str) -> str:
        return f"http://flink/#/job/{job_id}"

    def deploy(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        self.asked.append("deploy")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def stages(self) -> Sequence[Stage]:
        features = load_features()
        return features.select(load_ruleset("speed", features).columns)


class FakeIndex:
    def apply_template(self) -> str:
        return "created"

    def count(self) -> int:
        return 12

    def name(self) -> str:
        return "fraud-alerts"


class FakeTraffic:
    def __init__(self) -> None:
        self.words: tuple[str, ...] = ()

    def send(self, *words: str, log: Callable[[str], object]) -> Mapping[str, Any]:
        self.words = words
        return {"transactions": 200, "failed": {}, "last_failure": None}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance in memory, closed with the test; one made by Dagster waits for the collector."""
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def deploy(
    instance: dg.DagsterInstance, stream: FakeStream, **config: Any
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [fraud_detection],
        instance=instance,
        resources={"stream": stream},
        run_config=dg.RunConfig(ops={"flink__fraud_detection": Deployment(**config)}),
        raise_on_error=False,
    )


def test_topic_is_made_once_and_named_as_the_settings_say(instance: dg.DagsterInstance) -> None:
    broker = FakeBroker()

    first = metadata_of(
        dg.materialize([transactions], instance=instance, resources={"broker": broker})
    )
    again = metadata_of(
        dg.materialize([transactions], instance=instance, resources={"broker": broker})
    )

    assert first == {
        "topic": "eu-transactions",
        "partitions": 3,
        "created now": True,
        "records held": 41,
    }
    assert again["created now"] is False


@pytest.mark.parametrize(
    ("error", "is_worth_another_try"), [(TransientError, True), (TerminalError, False)]
)
def test_known_error_fails_a_step_with_its_sentence(
    error: type[FraudlakeError], is_worth_another_try: bool
) -> None:
    sentence = "no broker answers"
    with pytest.raises(dg.Failure, match=sentence) as caught, translate_failures():
        raise error(sentence)

    assert caught.value.allow_retries is is_worth_another_try


def test_everything_that_asks_a_server_is_tried_again() -> None:
    for asset in (transactions, fraud_detection, fraud_alerts):
        policy = asset.op.retry_policy
        assert policy is not None
        assert policy.max_retries == 3


def test_deployment_says_what_it_did(instance: dg.DagsterInstance) -> None:
    stream = FakeStream()

    metadata = metadata_of(deploy(instance, stream))
    plan = metadata.pop("plan")

    assert stream.asked == ["deploy"]
    assert "| card | travel" in plan
    assert metadata == {
        "deployed": "replaced",
        "job id": "new",
        "rule set": "speed@0123456789ab",
        "build": "00aa",
        "page": "http://flink/#/job/new",
        "started from": "file:/savepoint-1",
        "lost": 0,
        "doubled": 0,
        "records around the change": 900,
        "takes transactions": True,
        "gap, seconds": 7.5,
    }


def test_job_that_is_right_already_is_left_alone_and_shown(instance: dg.DagsterInstance) -> None:
    metadata = metadata_of(deploy(instance, FakeStream(UNCHANGED)))

    assert (metadata["deployed"], metadata["job id"]) == ("unchanged", "new")
    assert not {"started from", "lost", "gap, seconds"} & metadata.keys()


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        ({"lost": 3}, "fraudlake reconcile"),
        ({"doubled": 1}, "fraudlake reconcile"),
        ({"is_stuck": True}, "fraudlake job status"),
    ],
)
def test_change_that_lost_or_doubled_records_or_takes_none_is_red(
    instance: dg.DagsterInstance, found: dict[str, int], remedy: str
) -> None:
    stream = FakeStream({**ANSWER, "switch": {**SWITCH, **found}})

    result = deploy(instance, stream)

    assert stream.asked == [
        "deploy"
    ]  # once: the next attempt would find nothing to do, and be green
    [failure] = result.get_step_failure_events()
    assert remedy in str(failure.event_specific_data)


def test_faulty_rule_file_fails_the_step_at_once_with_its_sentence(
    instance: dg.DagsterInstance,
) -> None:
    sentence = "rule 'velocity': window_s=0 - must be 1..86400"
    stream = FakeStream(TerminalError(sentence))

    result = deploy(instance, stream)

    assert stream.asked == ["deploy"]
    [failure] = result.get_step_failure_events()
    assert sentence in str(failure.event_specific_data)


def test_template_and_alias_are_put_in_place(instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [fraud_alerts], instance=instance, resources={"alert_index": FakeIndex()}
    )

    assert metadata_of(result) == {
        "index": "fraud-alerts",
        "template": "created",
        "dagster/row_count": 12,
    }


def test_traffic_is_sent_with_the_wanted_options_and_observed(instance: dg.DagsterInstance) -> None:
    traffic = FakeTraffic()
    wanted = TrafficConfig(rate=500.0, cards=50, fraud_rate=0.02, seed=3, count=200)

    result = send_traffic.execute_in_process(
        instance=instance,
        resources={"traffic": traffic},
        run_config=dg.RunConfig(ops={"send": wanted}),
    )

    assert " ".join(traffic.words) == (
        "produce --rate 500.0 --cards 50 --fraud-rate 0.02 --seed 3 --count 200 --json"
    )
    [event] = result.get_asset_observation_events()
    observed = event.asset_observation_data.asset_observation
    assert observed.asset_key == dg.AssetKey(["kafka", "transactions"])
    assert observed.metadata["transactions"].value == 200


def test_words_are_understood_by_the_command_line() -> None:
    command = typer.main.get_command(app)
    for config in (
        TrafficConfig(),
        TrafficConfig(count=None, duration="30s"),
        TrafficConfig(replay_file=__file__, replay_mapping=__file__),
        TrafficConfig(replay_file=__file__, replay_mapping=__file__, replay_start_at="now"),
    ):
        name, *words = write_command(config)
        context = command.make_context("fraudlake", [name, *words])
        subcommand = command.get_command(context, name)  # type: ignore[attr-defined]
        subcommand.make_context(name, words)


def test_history_is_replayed_from_a_file_at_a_speed_and_a_time() -> None:
    config = TrafficConfig(
        replay_file="history.csv",
        replay_mapping="history.toml",
        replay_speed="10x",
        replay_start_at="now",
    )
    assert " ".join(write_command(config)) == (
        "replay history.csv --mapping history.toml --speed 10x --start-at now --json"
    )


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (TrafficConfig(count=None), "set count, duration or both"),
        (TrafficConfig(replay_file="history.csv"), "history.csv needs replay_mapping"),
    ],
)
def test_traffic_that_cannot_be_sent_is_refused(config: TrafficConfig, sentence: str) -> None:
    with pytest.raises(TerminalError, match=sentence):
        write_command(config)


def test_steps_of_a_run_share_its_process() -> None:
    assert defs().executor is dg.in_process_executor
