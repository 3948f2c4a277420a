"""A Kafka topic as an asset: materialized means that it exists, split and kept as declared."""

import dataclasses
from collections.abc import Sequence

import dagster as dg

from orchestration.failures import PATIENCE, translate_failures
from orchestration.owners import DATA_PLATFORM
from orchestration.resources import Broker
from pipelines.topics import Topic, Topics, declare_topics

_FIELDS = {field.name for field in dataclasses.fields(Topics)}


def build_topic_asset(
    name: str, *, group: str, deps: Sequence[dg.AssetKey] = ()
) -> dg.AssetsDefinition:
    """The asset of the topic that stands under ``name`` in ``Topics``."""
    declared = _find(declare_topics(), name)

    @dg.asset(
        key=dg.AssetKey(["kafka", name]),
        deps=list(deps),
        group_name=group,
        kinds={"kafka"},
        owners=[DATA_PLATFORM],
        description=_describe(declared),
        metadata={
            "key": declared.key,
            "written by": declared.written_by,
            "read by": ", ".join(declared.read_by),
            "kept": _keep(declared),
        },
        retry_policy=PATIENCE,
    )
    def topic_exists(broker: dg.ResourceParam[Broker]) -> dg.MaterializeResult[None]:
        with translate_failures():
            topic = _find(broker.topics(), name)
            is_new = broker.create(topic)
            records = broker.count_records(topic)
        return dg.MaterializeResult(
            # Looked at again it is the same: what reads it is not behind for that.
            data_version=dg.DataVersion(f"{topic.name}/{topic.partitions}"),
            metadata={
                "topic": topic.name,
                "partitions": topic.partitions,
                "created now": is_new,
                "records held": records,
            },
        )

    return topic_exists


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
