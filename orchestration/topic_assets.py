"""A Kafka topic as an asset: materialized means that it exists, split and kept as declared."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from orchestration.check_results import to_result
from orchestration.failures import PATIENCE, translate_failures
from orchestration.owners import DATA_PLATFORM
from orchestration.resources import Broker
from orchestration.verdict import Verdict, is_well, warn
from pipelines.topics import Topic, Topics, declare_topics

KEPT = "kept_as_declared"
_FIELDS = {field.name for field in dataclasses.fields(Topics)}


def build_topic_asset(
    name: str, *, group: str, deps: Sequence[dg.AssetKey] = ()
) -> dg.AssetsDefinition:
    """The asset of the topic that stands under ``name`` in ``Topics``."""
    declared = _find(declare_topics(), name)
    key = dg.AssetKey(["kafka", name])

    @dg.asset(
        key=key,
        deps=list(deps),
        group_name=group,
        kinds={"kafka"},
        owners=[DATA_PLATFORM],
        description=_describe(declared),
        metadata={
            "key": declared.key,
            "written by": declared.written_by,
            "read by": ", ".join(declared.read_by),
            "to be kept": _keep(declared),
        },
        check_specs=[
            dg.AssetCheckSpec(
                name=KEPT,
                asset=key,
                description="The broker keeps the topic as declared, or longer.",
            )
        ],
        retry_policy=PATIENCE,
    )
    def topic_exists(broker: dg.ResourceParam[Broker]) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster knows but the bare class
        with translate_failures():
            topic = _find(broker.topics(), name)
            is_new = broker.create(topic)
            records = broker.count_records(topic)
            kept = judge_kept(topic, broker.read_settings(topic))
        return dg.MaterializeResult(
            # Looked at again it is the same: what reads it is not behind for that.
            data_version=dg.DataVersion(f"{topic.name}/{topic.partitions}"),
            metadata={
                "topic": topic.name,
                "partitions": topic.partitions,
                "created now": is_new,
                "records held": records,
            },
            check_results=[to_result(kept, check=KEPT)],
        )

    return topic_exists


def judge_kept(topic: Topic, found: Mapping[str, str]) -> Verdict:
    """Does the broker keep what the pipeline counts on? Longer and larger is as good."""
    if differences := list(_differences(topic.config(), found)):
        return warn(f"{topic.name}: {'; '.join(differences)}. `kafka-configs.sh --alter` sets it")
    return is_well("the broker keeps it as declared, or longer")


def _differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    if found["cleanup.policy"] != wanted["cleanup.policy"]:
        yield _differ("cleanup.policy", wanted, found)
    # Compacted, what is old stays as well.
    if wanted["cleanup.policy"] == "delete":
        have, want = int(found["retention.ms"]), int(wanted["retention.ms"])
        if have != -1 and (want == -1 or have < want):
            yield _differ("retention.ms", wanted, found)
    largest = "max.message.bytes"
    if int(found[largest]) < int(wanted.get(largest, 0)):
        yield _differ(largest, wanted, found)


def _differ(name: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    return f"{name} is {found[name]}, to be {wanted[name]}"


def _find(topics: Topics, name: str) -> Topic:
    assert name in _FIELDS, name
    found: Topic = getattr(topics, name)
    return found


def _describe(topic: Topic) -> str:
    return (
        f"{topic.about}\n\n"
        f"Written by {topic.written_by}; read by {', '.join(topic.read_by)}. Keyed by {topic.key}: "
        "one key's records stay in order.\n\n"
        "Materialize it to create the topic if it is missing. An existing one with another number "
        "of partitions is refused: its records would lose their order."
    )


def _keep(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "the newest record of each key, for ever"
    return "for ever" if topic.retention is None else f"{topic.retention.days} days"
