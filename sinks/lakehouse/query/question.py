"""What may be asked: one SELECT, or EXPLAIN of one.

DuckDB's own parser says what a statement is. Two of its answers need a second look: EXPLAIN of
anything is EXPLAIN, and with ANALYZE the thing is done; and a PIVOT whose columns come from the
data is several statements, as is a CREATE TABLE made of one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from pipelines.errors import TerminalError

_EXPLAIN = re.compile(r"explain\b\s*(?P<how>analyze\b|\([^()]*\))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question that cannot change anything."""

    select: str
    explain: str | None
    """``EXPLAIN`` with how, if that is what was asked."""

    @property
    def sql(self) -> str:
        """What is to be run."""
        return self.select if self.explain is None else f"{self.explain} {self.select}"


def parse_question(connection: duckdb.DuckDBPyConnection, text: str) -> Question:
    """The question in ``text``; TerminalError if it is another statement, or more than one.

    DuckDB's error if it is no SQL.
    """
    kind, statement = _parse_one(connection, text)
    found = _EXPLAIN.match(statement)
    if found is None:
        _check(connection, kind, statement)
        return Question(select=statement, explain=None)
    kind, select = _parse_one(connection, statement[found.end() :])
    _check(connection, kind, select)
    return Question(select=select, explain=f"EXPLAIN {found['how'] or ''}".strip())


def _parse_one(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[str, str]:
    """The kind of the one statement and its text, without what stands around it."""
    statements = connection.extract_statements(text)
    if len(statements) != 1:
        msg = f"there are {len(statements)} statements - ask one question at a time"
        raise TerminalError(msg)
    return statements[0].type.name, statements[0].query.strip().rstrip(";")


def _check(connection: duckdb.DuckDBPyConnection, kind: str, statement: str) -> None:
    if kind == "SELECT" or (kind == "MULTI" and _is_subquery(connection, statement)):
        return
    what = "a CREATE, INSERT or COPY" if kind == "MULTI" else f"a {kind}"
    msg = (
        f"{what} statement cannot be run here - the lakehouse is read only: start with SELECT, "
        "WITH, FROM, PIVOT, DESCRIBE, SUMMARIZE or EXPLAIN"
    )
    raise TerminalError(msg)


def _is_subquery(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """True if it can stand where only a SELECT can."""
    try:
        return len(connection.extract_statements(f"FROM (\n{statement}\n)")) == 1
    except duckdb.Error:
        return False
