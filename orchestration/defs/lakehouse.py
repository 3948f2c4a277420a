"""Group ``lakehouse``: the tables that the Iceberg sink writes, and Dagster only looks at."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.ingest import labels
from orchestration.defs.sinks import lakehouse_sink
from orchestration.defs.stream import dead_letters, decisions
from orchestration.owners import DATA_PLATFORM

_WRITER = "fraudlake sink lakehouse"
_FOOTER = (
    "Written by the lakehouse sink, which runs by itself (`fraudlake sink lakehouse`); the offsets "
    "it has reached stand in the same commit as the rows, so that no restart loses or repeats one."
)

decisions_table = dg.AssetSpec(
    key=dg.AssetKey(["iceberg", "decisions"]),
    deps=[decisions, lakehouse_sink],
    group_name="lakehouse",
    kinds={"iceberg", "parquet"},
    owners=[DATA_PLATFORM],
    description=f"Every decision, with each feature value as it was at that moment.\n\n{_FOOTER}",
    metadata={
        "written by": _WRITER,
        "dagster/table_name": "fraud.decisions",
        "query": dg.MetadataValue.md(
            '```\nfraudlake sql "select band, count(*) from decisions group by band"\n```'
        ),
    },
)

labels_table = dg.AssetSpec(
    key=dg.AssetKey(["iceberg", "labels"]),
    deps=[labels, lakehouse_sink],
    group_name="lakehouse",
    kinds={"iceberg", "parquet"},
    owners=[DATA_PLATFORM],
    description=(
        "What transactions turned out to be: chargebacks and verdicts, each with the time at which "
        f"it became known.\n\n{_FOOTER}"
    ),
    metadata={"written by": _WRITER, "dagster/table_name": "fraud.labels"},
)

dead_letters_table = dg.AssetSpec(
    key=dg.AssetKey(["iceberg", "dead_letters"]),
    deps=[dead_letters, lakehouse_sink],
    group_name="lakehouse",
    kinds={"iceberg", "parquet"},
    owners=[DATA_PLATFORM],
    description=(
        "Every record that could not be decided, stored or indexed, with the reason and the "
        f"original bytes.\n\n{_FOOTER}"
    ),
    metadata={"written by": _WRITER, "dagster/table_name": "fraud.dead_letters"},
)
