"""The sink's work handed to a Flink job, for when one writer no longer suffices: its script.

Columns and features are those of the tables as they are, and each topic is read from exactly where
its table ends. ``take_back.py`` is the way back.
"""

from __future__ import annotations

import re
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.handover.flink_catalog import flink_catalog
from sinks.lakehouse.ingest.source import Source, name_group
from sinks.lakehouse.position import restore
from sinks.lakehouse.query.plan import literal
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.schema import apply_changes, feature_names
from sinks.lakehouse.tables import DECISIONS, FEATURES, SINK_TABLES, LakeTable
from sinks.lakehouse.turn import has_rows_of_flink, pass_to_flink, refuse

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from pipelines.settings import Settings
    from sinks.lakehouse.position import Position

_TIME_OF = re.compile(r"TIME_OF\((.+)\)")
_TIME = (
    r"CAST(CAST(REGEXP_REPLACE(REPLACE(\1, 'T', ' '), '(Z|[+]00:00)$', '') "
    r"AS TIMESTAMP(3)) AS TIMESTAMP_LTZ(6))"
)
"""What ``TIME_OF(...)`` of the template stands for: a time as records write it."""


def hand_over(settings: Settings) -> str:
    """The script that goes on where the tables end; makes what is missing of the tables.

    From then on our sink refuses to write them, also one that still runs: what it has read and not
    stored is read by the job. Until the job's first commit, the script can be made again. SinkError
    if the catalog is one that Flink cannot share, if the job has written already, and for whatever
    keeps the sink itself from going on, such as records that are gone from Kafka.
    """
    lakehouse = settings.lakehouse
    values = {"namespace": lakehouse.namespace, "catalog": _options(flink_catalog(lakehouse))}
    with open_catalog(settings) as catalog, explained(settings):
        apply_changes(catalog, lakehouse, {})
        settled: list[tuple[Table, Position]] = []
        for one in SINK_TABLES:
            table = catalog.load_table((lakehouse.namespace, one.name))
            columns = [column.name for column in one.columns]
            if one is DECISIONS:
                values["features"] = _features(table)
                columns += [FEATURES] if values["features"] else []
            values[f"{one.name}_columns"] = ", ".join(f"`{name}`" for name in columns)
            position = _settle(settings, one, table)
            values[f"{one.name}_topic"] = _topic(settings, position)
            settled.append((table, position))
        for table, position in settled:
            pass_to_flink(table, position)
    text = resources.files(__package__).joinpath("hand_over.sql").read_text()
    return _TIME_OF.sub(_TIME, Template(text).substitute(values))


def _settle(settings: Settings, declared: LakeTable, table: Table) -> Position:
    """Where a table ends, checked against Kafka."""
    if has_rows_of_flink(table):
        raise refuse(table)
    stored = restore(table)
    topic = getattr(settings.kafka.topics(), declared.name).name
    source = Source(settings.kafka, topic=topic, group=name_group(settings))
    try:
        source.start(stored)
        return source.position(dead_letters=0 if stored is None else stored.dead_letters)
    finally:
        source.close()


def _topic(settings: Settings, position: Position) -> str:
    places = (f"partition:{at},offset:{end}" for at, end in position.next_offsets.items())
    options = {
        "connector": "kafka",
        "topic": position.topic,
        "properties.bootstrap.servers": settings.kafka.bootstrap_servers,
        "properties.group.id": f"{name_group(settings)}.flink",
        # What the job has not committed is not there yet.
        "properties.isolation.level": "read_committed",
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": ";".join(places),
        # Partitions that are added later are read from their first record.
        "scan.topic-partition-discovery.interval": "1 min",
    }
    return _options(options) + ","


def _features(table: Table) -> str:
    names = feature_names(table.schema())
    if not names:
        return ""
    values = ",\n".join(
        f"        CAST(JSON_VALUE(`value`, '$.features.{name}') AS DOUBLE)" for name in names
    )
    types = ", ".join(f"`{name}` DOUBLE" for name in names)
    return f",\n    CAST(ROW(\n{values}\n    ) AS ROW<{types}>)"


def _options(options: dict[str, str]) -> str:
    return ",\n".join(f"    {literal(name)} = {literal(value)}" for name, value in options.items())
