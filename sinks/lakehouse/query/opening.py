"""The lakehouse for SQL: a DuckDB of its own with one view for each table.

A view shows its table at one moment, chosen when the lake is opened: a question sees the same rows
from beginning to end while the sink goes on. Nothing can be changed through it.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

import duckdb

from pipelines.errors import NoTablesError, SinkError
from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.history import find_state
from sinks.lakehouse.query.engine import connect, lock
from sinks.lakehouse.query.lake import Lake
from sinks.lakehouse.query.metadata_views import MetadataSource, create_metadata_views
from sinks.lakehouse.query.plan import plan_nothing, plan_refusal, plan_table, quote
from sinks.lakehouse.query.remote_files import register_files
from sinks.lakehouse.query.views import create_view
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings
    from sinks.lakehouse.query.late_rows import LateRows
    from sinks.lakehouse.query.plan import PlannedTable

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
    id names one table's state; the others are shown as of the same time. NoTablesError when
    there are none yet, SinkError when none has that snapshot; a table that is not kept as it was
    then fails the questions that need it, and no others.
    """
    with find_catalog(settings) as catalog:
        with explained(settings):
            tables = {} if catalog is None else _load(catalog, settings.lakehouse.namespace)
        if not tables:
            msg = (
                f"there are no tables in namespace {settings.lakehouse.namespace} yet. The "
                "lakehouse sink creates them: `fraudlake up`, or `fraudlake sink lakehouse`"
            )
            raise NoTablesError(msg)
        moment = _moment_of(tables, as_of) if isinstance(as_of, int) else as_of
        planned: dict[str, PlannedTable] = {
            table.name: plan_nothing(table.schema()) for table in TABLES if table.name not in tables
        }
        sources: list[MetadataSource] = []
        for name, table in tables.items():
            with explained(settings):
                snapshot_id, planned[name] = _plan(table, as_of, moment)
            sources.append(
                MetadataSource(
                    name=name,
                    table=table,
                    snapshot_id=snapshot_id,
                    is_shown=as_of is None or snapshot_id is not None,
                )
            )
        with connect(settings) as connection:
            late = _create_views(connection, planned, known_at)
            late |= create_metadata_views(connection, sources)
            lock(connection)
            yield Lake(connection=connection, planned=planned, late=late)


def _load(catalog: Catalog, namespace: str) -> dict[str, Table]:
    if not catalog.namespace_exists(namespace):
        return {}
    names = sorted(identifier[-1] for identifier in catalog.list_tables(namespace))
    return {name: catalog.load_table((namespace, name)) for name in names}


def _moment_of(tables: Mapping[str, Table], snapshot_id: int) -> datetime:
    """When a snapshot was made; SinkError if no table has it."""
    for table in tables.values():
        snapshot = table.snapshot_by_id(snapshot_id)
        if snapshot is not None:
            return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
    msg = f"no table has a snapshot {snapshot_id}; it may have expired"
    raise SinkError(msg)


def _plan(
    table: Table, as_of: Moment | None, moment: datetime | None
) -> tuple[int | None, PlannedTable]:
    """The snapshot to show, None for the newest or for none, and where its rows are."""
    if moment is None:
        return None, plan_table(table, snapshot_id=None)
    if isinstance(as_of, int) and table.snapshot_by_id(as_of) is not None:
        return as_of, plan_table(table, snapshot_id=as_of)
    try:
        state = find_state(table, moment)
    except SinkError as error:
        return None, plan_refusal(table.schema(), error)
    if state is None:
        return None, plan_nothing(table.schema())
    return state.snapshot_id, plan_table(table, snapshot_id=state.snapshot_id)


def _create_views(
    connection: duckdb.DuckDBPyConnection,
    planned: Mapping[str, PlannedTable],
    known_at: datetime | None,
) -> dict[str, LateRows]:
    """The views, and by name the tables of them that DuckDB does not read itself."""
    connection.execute("SET VARIABLE known_at = $moment::TIMESTAMPTZ", {"moment": known_at})
    connection.execute("CREATE SCHEMA lake")
    register_files(
        connection, {path: f for one in planned.values() for path, f in one.remote.items()}
    )
    late: dict[str, LateRows] = {}
    for name, table in planned.items():
        rows = create_view(connection, name, table, schema="lake")
        if rows is not None:
            late[name] = rows
        if name not in _SHOWN_OTHERWISE:
            connection.execute(f"CREATE VIEW {quote(name)} AS SELECT * FROM lake.{quote(name)}")
    try:
        connection.execute(resources.files(__package__).joinpath("views.sql").read_text())
    except duckdb.BinderException as error:
        text = str(error).splitlines()[0]
        msg = f"a table has lost a column that the view of it needs: {text}"
        raise SinkError(msg) from error
    return late
