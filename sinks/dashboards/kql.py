"""The part of Kibana's query language that our panels use, as queries of Elasticsearch.

Kibana translates KQL in the browser; this does the same for a panel without one::

    case.status: open                              a value
    case.status: (open or in_progress)             one of some
    case.verdict: *                                has a value
    sink.delay_ms >= 5000                          a limit: >, >=, <, <=
    not a: b and (c: d or @timestamp < "now-1h")   joined

Whatever else KQL has (wildcards, nested fields, free text) is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from sinks.dashboards.fields import Json

_TOKEN = re.compile(r'\s*(?:(>=|<=|[():<>])|"([^"\\]*)"|([^\s():<>"*]+)|(\*))')
_LIMITS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_WORDS = frozenset({"and", "or", "not"})


def parse_kql(text: str) -> Json:
    """The query that ``text`` means; an empty one means everything.

    TerminalError for what is not of the subset above.

    >>> parse_kql("case.verdict: *")
    {'exists': {'field': 'case.verdict'}}
    >>> parse_kql("fraud.hits >= 3")
    {'range': {'fraud.hits': {'gte': '3'}}}
    """
    return _Parser(text).parse()


def fields_of(text: str) -> set[str]:
    """The fields that ``text`` asks for.

    >>> sorted(fields_of("case.status: open and not case.assignee: *"))
    ['case.assignee', 'case.status']
    """
    parser = _Parser(text)
    parser.parse()
    return parser.fields


class _Parser:
    """Reads from left to right; each method takes the tokens of one rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _split(text)
        self._at = 0
        self.fields: set[str] = set()

    def parse(self) -> Json:
        if not self._tokens:
            return {"match_all": {}}
        query = self._either()
        if self._at < len(self._tokens):
            self._refuse(f"{self._tokens[self._at]!r} is too much")
        return query

    def _either(self) -> Json:
        found = [self._all()]
        while self._take("or"):
            found.append(self._all())
        return found[0] if len(found) == 1 else _any_of(found)

    def _all(self) -> Json:
        found = [self._one()]
        while self._take("and"):
            found.append(self._one())
        return found[0] if len(found) == 1 else {"bool": {"filter": found}}

    def _one(self) -> Json:
        if self._take("not"):
            return {"bool": {"must_not": [self._one()]}}
        if self._take("("):
            query = self._either()
            self._expect(")")
            return query
        return self._condition(self._value("a field"))

    def _condition(self, field: str) -> Json:
        self.fields.add(field)
        for sign, name in _LIMITS.items():
            if self._take(sign):
                return {"range": {field: {name: self._value("a limit")}}}
        self._expect(":")
        if self._take("*"):
            return {"exists": {"field": field}}
        if not self._take("("):
            return {"match": {field: self._value("a value")}}
        values: list[Json] = [{"match": {field: self._value("a value")}}]
        while self._take("or"):
            values.append({"match": {field: self._value("a value")}})
        self._expect(")")
        return _any_of(values)

    def _value(self, wanted: str) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None or token in _WORDS or token in {"(", ")", ":", "*", *_LIMITS}:
            self._refuse(f"{wanted} must stand where {token or 'the end'!r} stands")
        self._at += 1
        return token.removeprefix('"')

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            found = self._tokens[self._at] if self._at < len(self._tokens) else "the end"
            self._refuse(f"{token!r} must stand where {found!r} stands")

    def _refuse(self, why: str) -> NoReturn:
        msg = f"the query {self._text!r} is not of the part of KQL that panels may use: {why}"
        raise TerminalError(msg)


def _split(text: str) -> list[str]:
    """Words and signs; a quoted text keeps its first quote and so is no word of the grammar."""
    tokens = []
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            msg = f"the query {text!r} has {text[at:]!r}, which is no word, sign or quoted text"
            raise TerminalError(msg)
        sign, quoted, word, star = found.groups()
        tokens.append(sign or star or (word if quoted is None else f'"{quoted}'))
        at = found.end()
    return tokens


def _any_of(queries: list[Json]) -> Json:
    return {"bool": {"should": queries, "minimum_should_match": 1}}
