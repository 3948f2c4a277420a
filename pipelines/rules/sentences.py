"""The sentence that explains a rule: a text with ``{column}`` and ``{column:.1f}`` in it.

Rendered by the engine that decides, so that an alert carries the numbers as they were; a value that
is missing shows as ``?``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.columns import Column
from pipelines.expressions.parsing import ExpressionFault, did_you_mean
from pipelines.expressions.rendering import Dialect, quote_name, quote_text

MISSING = "?"
_DECIMALS = re.compile(r"\.([0-6])f")


@dataclass(frozen=True, slots=True)
class Slot:
    """A column in a sentence; ``decimals`` None: a text."""

    column: str
    decimals: int | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """Texts and slots, in order."""

    parts: tuple[str | Slot, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The columns it shows."""
        return frozenset(part.column for part in self.parts if isinstance(part, Slot))


def parse_sentence(text: str, columns: Mapping[str, Column]) -> Sentence:
    """The parts of a sentence; ExpressionFault says which slot is wrong."""
    parts: list[str | Slot] = []
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ExpressionFault(f"has an unclosed bracket: {error}") from error
    for literal, name, spec, conversion in pieces:
        if literal:
            parts.append(literal)
        if name is not None:
            parts.append(_slot(name, spec or "", conversion, columns))
    if not parts:
        msg = "is empty; say why the rule fires"
        raise ExpressionFault(msg)
    return Sentence(tuple(parts))


def _slot(name: str, spec: str, conversion: str | None, columns: Mapping[str, Column]) -> Slot:
    if name not in columns:
        raise ExpressionFault(f"shows unknown column {{{name}}}{did_you_mean(name, columns)}")
    decimals = _DECIMALS.fullmatch(spec)
    if columns[name].type == "number" and decimals is None:
        raise ExpressionFault(f"shows number {{{name}}} without decimals; write {{{name}:.0f}}")
    if columns[name].type == "text" and spec:
        raise ExpressionFault(f"gives text {{{name}}} a number's format; write {{{name}}}")
    if conversion is not None:
        raise ExpressionFault(f"uses !{conversion} in {{{name}}}; write {{{name}}}")
    return Slot(name, None if decimals is None else int(decimals.group(1)))


def render_sentence(sentence: Sentence, dialect: Dialect) -> str:
    """The SQL text expression that makes the sentence of a row."""
    parts = [
        quote_text(part) if isinstance(part, str) else _render_slot(part, dialect)
        for part in sentence.parts
    ]
    return f"CONCAT({', '.join(parts)})"


def _render_slot(slot: Slot, dialect: Dialect) -> str:
    column = quote_name(slot.column, dialect)
    if slot.decimals is None:
        return f"COALESCE({column}, {quote_text(MISSING)})"
    # Rounded half up by hand: the engines' own casts differ on ties.
    scale = f"1e{slot.decimals}"
    rounded = f"FLOOR(ABS({column}) * {scale} + 5e-1) / {scale} * SIGN({column})"
    cast, text = ("CAST", "STRING") if dialect == "flink" else ("TRY_CAST", "VARCHAR")
    decimal = f"{cast}({rounded} AS DECIMAL(38, {slot.decimals}))"
    return f"COALESCE(CAST({decimal} AS {text}), {quote_text(MISSING)})"
