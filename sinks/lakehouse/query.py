"""The lakehouse for SQL: a DuckDB of its own with one view for each table.

A view shows its table at one moment, chosen when the lake is opened: a question sees the same rows
from beginning to end while the sink goes on. Nothing can be changed through it.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING

import duckdb

from pipelines.errors import SinkError
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.lake import Lake
from sinks.lakehouse.metadata_views import MetadataSource
from sinks.lakehouse.plan import (
    PlannedTable,
    create_view,
    plan_nothing,
    plan_table,
    quote,
)
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.remote_files import register_files
from sinks.lakehouse.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings

# Shown by a view of its own in views.sql, or not by its own name at all.
_SHOWN_OTHERWISE = frozenset({"dead_letters"})
Moment = datetime | int
"""A time, or the id of a snapshot."""


@contextmanager
def open_lake(
    settings: Settings, *, as_of: Moment | None = None, known_at: datetime | None = None
) -> Iterator[Lake]:
    """The tables of the settings' namespace as views, now or as they were.

    ``known_at`` is the moment whose knowledge ``decisions_labelled`` shows; None: now. A snapshot's
    id names one table's state; the others are shown as of the same time. SinkError when there are
    no tables yet, or when none of them reaches back that far.
    """
    with open_catalog(settings, writable=False) as catalog:
        with explained(settings):
            tables = {} if catalog is None else _load(catalog, settings.lakehouse.namespace)
        if not tables:
            msg = (
                f"there are no tables in namespace {settings.lakehouse.namespace} yet. The "
                "lakehouse sink creates them: `fraudlake up`, or `fraudlake sink lakehouse`"
            )
            raise SinkError(msg)
        chosen = _choose_snapshots(tables, as_of)
        planned: dict[str, PlannedTable] = {
            table.name: plan_nothing(table.schema()) for table in TABLES if table.name not in tables
        }
        with explained(settings):
            for name, table in tables.items():
                planned[name] = (
                    plan_table(table, snapshot_id=chosen.get(name))
                    if as_of is None or name in chosen
                    else plan_nothing(table.schema())
                )
        connection = duckdb.connect()
        try:
            _create_views(connection, planned, known_at)
            sources = tuple(
                MetadataSource(name=name, table=table, snapshot_id=chosen.get(name))
                for name, table in tables.items()
                if as_of is None or name in chosen
            )
            yield Lake(connection=connection, planned=planned, sources=sources)
        finally:
            connection.close()


def _load(catalog: Catalog, namespace: str) -> dict[str, Table]:
    if not catalog.namespace_exists(namespace):
        return {}
    names = sorted(identifier[-1] for identifier in catalog.list_tables(namespace))
    return {name: catalog.load_table((namespace, name)) for name in names}


def _choose_snapshots(tables: Mapping[str, Table], as_of: Moment | None) -> dict[str, int]:
    """The snapshot of each table at ``as_of``; a table that did not exist yet is left out."""
    if as_of is None:
        return {}
    chosen: dict[str, int] = {}
    if isinstance(as_of, int):
        for name, table in tables.items():
            snapshot = table.snapshot_by_id(as_of)
            if snapshot is not None:
                chosen[name] = as_of
                moment_ms = snapshot.timestamp_ms
        if not chosen:
            msg = f"no table has a snapshot {as_of}; it may have expired"
            raise SinkError(msg)
    else:
        moment_ms = int(as_of.timestamp() * 1000)
    for name, table in tables.items():
        snapshot = table.snapshot_as_of_timestamp(moment_ms)
        if snapshot is not None:
            chosen.setdefault(name, snapshot.snapshot_id)
        elif name not in chosen:
            _check_history(name, table, moment_ms)
    return chosen


def _check_history(name: str, table: Table, moment_ms: int) -> None:
    """SinkError if the table may have had rows then that its snapshots no longer show."""
    kept = sorted(table.snapshots(), key=lambda snapshot: snapshot.timestamp_ms)
    if kept and kept[0].parent_snapshot_id is not None:
        oldest = datetime.fromtimestamp(kept[0].timestamp_ms / 1000).astimezone()
        msg = (
            f"{name} is not kept as it was at {moment_ms} ms: its oldest snapshot is of "
            f"{oldest.isoformat()}"
        )
        raise SinkError(msg)


def _create_views(
    connection: duckdb.DuckDBPyConnection,
    planned: Mapping[str, PlannedTable],
    known_at: datetime | None,
) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET VARIABLE known_at = $moment::TIMESTAMPTZ", {"moment": known_at})
    connection.execute("CREATE SCHEMA lake")
    register_files(
        connection, {path: f for one in planned.values() for path, f in one.remote.items()}
    )
    for name, table in planned.items():
        create_view(connection, name, table, schema="lake")
        if name not in _SHOWN_OTHERWISE:
            connection.execute(f"CREATE VIEW {quote(name)} AS SELECT * FROM lake.{quote(name)}")
    try:
        connection.execute(resources.files(__package__).joinpath("views.sql").read_text())
    except duckdb.BinderException as error:
        text = str(error).splitlines()[0]
        msg = f"a table has lost a column that the view of it needs: {text}"
        raise SinkError(msg) from error
