"""The lakehouse for SQL: a DuckDB of its own with one view for each table.

A view shows its table at one moment, chosen when the lake is opened: a question sees the same rows
from beginning to end while the sink goes on. Nothing can be changed through it.
"""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import duckdb
from pyiceberg.types import StructType

from pipelines.errors import SinkError, TerminalError
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.plan import (
    PlannedTable,
    create_view,
    duckdb_type,
    literal,
    plan_nothing,
    plan_table,
    quote,
)
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.remote_files import register_files, without_traceback
from sinks.lakehouse.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings

_QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
# Shown by a view of its own in views.sql, or not by its own name at all.
_SHOWN_OTHERWISE = frozenset({"dead_letters"})
Moment = datetime | int
"""A time, or the id of a snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedColumn:
    """One column of a view, or one member of a struct in it (``features.travel_kmh``)."""

    view: str
    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Some rows, the names and DuckDB types of their columns, and whether there are more."""

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """An open lakehouse; ``connection`` is its DuckDB, for those who want Arrow or relations."""

    connection: duckdb.DuckDBPyConnection
    planned: Mapping[str, PlannedTable]

    def ask(self, sql: str, *, limit: int) -> Answer:
        """The first rows of the answer; TerminalError says what is wrong with the question."""
        statement = self._one_question(sql)
        with self._explained():
            cursor = self.connection.execute(statement)
            found = cursor.fetchmany(limit + 1)
        description = cursor.description or ()
        return Answer(
            columns=tuple((str(column[0]), str(column[1])) for column in description),
            rows=found[:limit],
            is_cut=len(found) > limit,
        )

    def write(self, sql: str, path: str, *, options: str) -> None:
        """Write the answer to a file as COPY does, without holding it in memory."""
        statement = self._one_question(sql)
        with self._explained():
            self.connection.execute(f"COPY (\n{statement}\n) TO {literal(path)} ({options})")

    def list_columns(self) -> list[ListedColumn]:
        """Every column of every view, in order, with what it means."""
        abouts = {
            (name, field.name): field.doc or ""
            for name, planned in self.planned.items()
            for field in planned.fields
        }
        members = {
            (name, field.name): field.field_type.fields
            for name, planned in self.planned.items()
            for field in planned.fields
            if isinstance(field.field_type, StructType)
        }
        listed: list[ListedColumn] = []
        for view in self._views():
            # A view of views.sql borrows its words from the table it is made of.
            table = view if view in self.planned else "decisions"
            for name, type_ in self.connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() "
                "WHERE schema_name = 'main' AND table_name = ? ORDER BY column_index",
                [view],
            ).fetchall():
                about = abouts.get((table, name), "")
                inner = members.get((table, name), ())
                shown = "STRUCT" if inner else type_
                listed.append(ListedColumn(view=view, name=name, type=shown, about=about))
                listed += [
                    ListedColumn(
                        view=view,
                        name=f"{name}.{member.name}",
                        type=duckdb_type(member.field_type),
                        about=member.doc or "",
                    )
                    for member in inner
                ]
        return listed

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Within the block, DuckDB's errors become one sentence with the names that exist."""
        try:
            yield
        except duckdb.Error as error:
            raise TerminalError(self._explain(error)) from error

    def _views(self) -> list[str]:
        rows = self.connection.execute(
            "SELECT view_name FROM duckdb_views() "
            "WHERE schema_name = 'main' AND NOT internal ORDER BY view_name"
        ).fetchall()
        return [row[0] for row in rows]

    def _one_question(self, sql: str) -> str:
        with self._explained():
            statements = self.connection.extract_statements(sql)
        if len(statements) != 1:
            msg = f"there are {len(statements)} statements - ask one question at a time"
            raise TerminalError(msg)
        if statements[0].type not in _QUESTIONS:
            msg = (
                f"a {statements[0].type.name} statement cannot be run here - the lakehouse is read "
                "only: start with SELECT, WITH, FROM, DESCRIBE, SUMMARIZE or EXPLAIN"
            )
            raise TerminalError(msg)
        return statements[0].query.strip().rstrip(";")

    def _explain(self, error: duckdb.Error) -> str:
        message = " ".join(without_traceback(error).split())
        if isinstance(error, duckdb.CatalogException) and "Table with name" in message:
            wrong = message.split("Table with name", 1)[1].split()[0]
            views = self._views()
            near = difflib.get_close_matches(wrong, views, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            message = f"{message.split('!')[0]}. {hint}There are: {', '.join(views)}"
        return message


@contextmanager
def open_lake(settings: Settings, *, as_of: Moment | None = None) -> Iterator[Lake]:
    """The tables of the settings' namespace as views, now or as they were.

    A snapshot's id names one table's state; the others are shown as of the same time. SinkError
    when there are no tables yet, or when none of them reaches back that far.
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
            _create_views(connection, planned)
            yield Lake(connection=connection, planned=planned)
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
    connection: duckdb.DuckDBPyConnection, planned: Mapping[str, PlannedTable]
) -> None:
    connection.execute("SET TimeZone = 'UTC'")
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
