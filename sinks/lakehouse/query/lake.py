"""An open lakehouse: questions in SQL, answered, written to files or explained.

Nothing can be changed through it: a question is one SELECT (``question.py``), run by an engine that
cannot write (``engine.py``). It may read files beside the tables (``read_csv('mine.csv')``),
because analysts join with those.
"""

from __future__ import annotations

import difflib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import duckdb
from pyiceberg.types import ListType, NestedField, StructType

from pipelines.errors import FraudlakeError, TerminalError, TransientError
from sinks.lakehouse.query.engine import reading
from sinks.lakehouse.query.metadata_views import SCHEMA, meaning_of
from sinks.lakehouse.query.plan import duckdb_type, literal
from sinks.lakehouse.query.question import Question, parse_question
from sinks.lakehouse.query.remote_files import without_traceback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sinks.lakehouse.query.late_rows import LateRows
    from sinks.lakehouse.query.plan import PlannedTable

    Values = Mapping[str, Any]

NO_VALUES: Values = MappingProxyType({})
_MADE_OF = MappingProxyType({"rules": "rulesets"})
"""The table whose rows a view of ``views.sql`` shows, where those are not decisions."""
_GONE = re.compile(r"No files found|No such file|FileNotFoundError")


class FilesReplacedError(TransientError):
    """Upkeep has replaced the files that an open lakehouse was about to read: open it again."""


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
    late: Mapping[str, LateRows]
    """By name, the tables that are read for each question, and the views of the schema ``meta``."""

    def ask(self, sql: str, values: Values = NO_VALUES, *, limit: int) -> Answer:
        """The first rows of the answer; TerminalError says what is wrong with the question.

        ``values`` are bound to the names that stand in it as ``$name``.
        """
        question = self._parse(sql)
        with self._explained(), reading(self.connection):
            cursor = self.connection.execute(question.sql, dict(values))
            found = cursor.fetchmany(limit + 1)
            description = cursor.description or ()
        return Answer(
            columns=tuple((str(column[0]), str(column[1])) for column in description),
            rows=found[:limit],
            is_cut=len(found) > limit,
        )

    def write(self, sql: str, values: Values = NO_VALUES, *, path: str, options: str) -> None:
        """Write the answer to a file as COPY does, without holding it in memory."""
        question = self._parse(sql)
        if question.explain is not None:
            msg = "EXPLAIN has no rows to write: show it as a table"
            raise TerminalError(msg)
        copy = f"COPY (\n{question.select}\n) TO {literal(path)} ({options})"
        with self._explained(), reading(self.connection):
            self.connection.execute(copy, dict(values))

    def explain(self, sql: str, values: Values = NO_VALUES) -> str:
        """How the question is answered: it is, and each step is counted and timed."""
        explain = f"EXPLAIN ANALYZE {self._parse(sql).select}"
        with self._explained(), reading(self.connection):
            rows = self.connection.execute(explain, dict(values)).fetchall()
        return str(rows[0][1]).strip()

    def take_slow(self) -> list[str]:
        """The tables that were read by pyiceberg since the last call, because DuckDB cannot."""
        read = [name for name, rows in self.late.items() if rows.take_read()]
        return [name for name in read if name in self.planned]

    def count_files(self) -> dict[str, int | None]:
        """How many files each table is read from; None: it is read by pyiceberg."""
        return {
            name: None if name in self.late else len(one.paths)
            for name, one in self.planned.items()
        }

    def list_columns(self) -> list[ListedColumn]:
        """Every column of every view, in order, with what it means."""
        return [column for view in self.views() for column in self._list_columns_of(view)]

    def views(self) -> list[str]:
        """What can be asked, by name; last those of the schema ``meta``."""
        rows = self.connection.execute(
            "SELECT if(schema_name = 'main', view_name, schema_name || '.' || view_name) "
            "FROM duckdb_views() WHERE database_name = current_database() "
            "AND schema_name IN ('main', ?) AND NOT internal "
            "ORDER BY schema_name <> 'main', view_name",
            [SCHEMA],
        ).fetchall()
        return [row[0] for row in rows]

    def _list_columns_of(self, view: str) -> Iterator[ListedColumn]:
        schema, _, name = view.rpartition(".")
        # A view of views.sql borrows its words from the table it is made of.
        table = self.planned[name if name in self.planned else _MADE_OF.get(name, "decisions")]
        fields = {} if schema else {field.name: field for field in table.fields}
        if name in _MADE_OF:
            fields |= {part.name: part for field in table.fields for part in _parts(field)}
        for column, type_ in self.connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? AND table_name = ? "
            "ORDER BY column_index",
            [schema or "main", name],
        ).fetchall():
            field = fields.get(column)
            about = meaning_of(name, column) if schema else ((field and field.doc) or "")
            inner = field.field_type if field is not None else None
            members = inner.fields if isinstance(inner, StructType) else ()
            shown = "STRUCT" if members else type_
            if field is not None and _parts(field):
                shown = "STRUCT[]"
            yield ListedColumn(view=view, name=column, type=shown, about=about)
            for member in members:
                yield ListedColumn(
                    view=view,
                    name=f"{column}.{member.name}",
                    type=duckdb_type(member.field_type),
                    about=member.doc or "",
                )

    def _parse(self, sql: str) -> Question:
        with self._explained():
            return parse_question(self.connection, sql)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Within the block, DuckDB's errors become one sentence with the names that exist."""
        try:
            yield
        except duckdb.Error as error:
            failures = [one for rows in self.late.values() if (one := rows.take_failure())]
            if failures and isinstance(failures[0], FraudlakeError):
                raise failures[0] from error
            if self._is_gone(str(error)):
                msg = "upkeep has replaced the files meanwhile: ask again"
                raise FilesReplacedError(msg) from error
            raise TerminalError(self._explain(error)) from error

    def _is_gone(self, text: str) -> bool:
        """True if a file of the tables, and not one of the user's, was not there."""
        if _GONE.search(text) is None:
            return False
        paths = (path for one in self.planned.values() for path in one.paths)
        # A store calls its files without a scheme.
        is_own = any((path.partition("://")[2] or path) in text for path in paths)
        return is_own or "registered as" in text

    def _explain(self, error: duckdb.Error) -> str:
        message = " ".join(without_traceback(error).split())
        if isinstance(error, duckdb.CatalogException) and "Table with name" in message:
            wrong = message.split("Table with name", 1)[1].split()[0]
            views = self.views()
            near = difflib.get_close_matches(wrong, views, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            message = f"{message.split('!')[0]}. {hint}There are: {', '.join(views)}"
        if "extension" in message and "INSTALL" in message:
            message = (
                f"{message.partition(' Please try')[0].rstrip('.')}; questions load no extensions"
            )
        return message


def _parts(field: NestedField) -> tuple[NestedField, ...]:
    """The members of a list of structs."""
    if isinstance(field.field_type, ListType):
        element = field.field_type.element_type
        return element.fields if isinstance(element, StructType) else ()
    return ()
