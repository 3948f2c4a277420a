"""An open lakehouse: questions in SQL, answered, written to files or explained.

Nothing can be changed through it: a question is one SELECT, and its own statement is all that runs.
It may read files beside the tables (``read_csv('mine.csv')``), because analysts join with those.
"""

from __future__ import annotations

import difflib
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import duckdb
from pyiceberg.types import StructType

from pipelines.errors import TerminalError
from sinks.lakehouse.metadata_views import SCHEMA, MetadataSource, create_metadata_views
from sinks.lakehouse.plan import duckdb_type, literal
from sinks.lakehouse.remote_files import without_traceback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sinks.lakehouse.plan import PlannedTable

    Values = Mapping[str, Any]

NO_VALUES: Values = MappingProxyType({})
_QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


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
    sources: tuple[MetadataSource, ...]
    """Where the views of the schema ``meta`` come from, once a question names one."""

    def ask(self, sql: str, values: Values = NO_VALUES, *, limit: int) -> Answer:
        """The first rows of the answer; TerminalError says what is wrong with the question.

        ``values`` are bound to the names that stand in it as ``$name``.
        """
        statement = self._one_question(sql)
        with self._explained():
            cursor = self.connection.execute(statement, dict(values))
            found = cursor.fetchmany(limit + 1)
        description = cursor.description or ()
        return Answer(
            columns=tuple((str(column[0]), str(column[1])) for column in description),
            rows=found[:limit],
            is_cut=len(found) > limit,
        )

    def write(self, sql: str, values: Values = NO_VALUES, *, path: str, options: str) -> None:
        """Write the answer to a file as COPY does, without holding it in memory."""
        statement = self._one_question(sql)
        copy = f"COPY (\n{statement}\n) TO {literal(path)} ({options})"
        with self._explained():
            self.connection.execute(copy, dict(values))

    def explain(self, sql: str, values: Values = NO_VALUES) -> str:
        """How the question is answered: it is, and each step is counted and timed."""
        statement = self._one_question(sql)
        with self._explained():
            rows = self.connection.execute(f"EXPLAIN ANALYZE {statement}", dict(values)).fetchall()
        return str(rows[0][1]).strip()

    def count_files(self) -> dict[str, int | None]:
        """How many files each table is read from; None: it is in memory, read by pyiceberg."""
        return {
            name: None if one.arrow is not None else len(one.paths)
            for name, one in self.planned.items()
        }

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
        for view in self.views():
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

    def views(self) -> list[str]:
        """What can be asked, by name; those of the schema ``meta`` apart."""
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
        statement: str = statements[0].query.strip().rstrip(";")
        if f"{SCHEMA}." in statement.lower():
            with self._explained():
                create_metadata_views(self.connection, self.sources)
        return statement

    def _explain(self, error: duckdb.Error) -> str:
        message = " ".join(without_traceback(error).split())
        if isinstance(error, duckdb.CatalogException) and "Table with name" in message:
            wrong = message.split("Table with name", 1)[1].split()[0]
            views = self.views()
            near = difflib.get_close_matches(wrong, views, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            message = f"{message.split('!')[0]}. {hint}There are: {', '.join(views)}"
        return message
