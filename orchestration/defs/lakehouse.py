"""Group ``lakehouse``: the tables that the Iceberg sink writes, and Dagster only looks at."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from orchestration.defs.ingest import labels
from orchestration.defs.sinks import lakehouse_sink
from orchestration.defs.stream import dead_letters, decisions
from orchestration.owners import DATA_PLATFORM
from orchestration.table_columns import describe_columns
from sinks.lakehouse.tables import DEAD_LETTERS, DECISIONS, LABELS

# As old as the newest commit may be. Payments never pause for so long; dead letters may for ever.
_DECISIONS_FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=6), warn_window=timedelta(hours=1)
)
_LABELS_FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=7), warn_window=timedelta(days=2)
)
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
    freshness_policy=_DECISIONS_FRESH,
    description=f"Every decision, with each feature value as it was at that moment.\n\n{_FOOTER}",
    metadata={
        "written by": _WRITER,
        "dagster/table_name": "fraud.decisions",
        "dagster/column_schema": describe_columns(DECISIONS),
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
    freshness_policy=_LABELS_FRESH,
    description=(
        "What transactions turned out to be: chargebacks and verdicts, each with the time at which "
        f"it became known.\n\n{_FOOTER}"
    ),
    metadata={
        "written by": _WRITER,
        "dagster/table_name": "fraud.labels",
        "dagster/column_schema": describe_columns(LABELS),
    },
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
    metadata={
        "written by": _WRITER,
        "dagster/table_name": "fraud.dead_letters",
        "dagster/column_schema": describe_columns(DEAD_LETTERS),
    },
)
