"""The sentence that explains a rule: a text with ``{column}`` and ``{column:.1f}`` in it.

Rendered by the engine that decides, so that an alert carries the numbers as they were. A value that
is missing, or too large for its decimals to be certain (15 digits), shows as ``?``. Halves are
rounded away from zero: FLOOR(ABS(x) * 10^n + 0.5), which is the same in every engine.
"""

from __future__ import annotations

import math
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.expressions.faults import ExpressionFault
from pipelines.expressions.rendering import Dialect, quote_name, quote_text
from pipelines.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.columns import Column
    from pipelines.expressions.interpret import Row

MISSING = "?"
CERTAIN_DIGITS = 15
"""A double tells apart all decimals of so many digits."""
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
    """The parts of a sentence; ExpressionFault says which slots are wrong."""
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        msg = f"has an odd bracket ({error}); write {{{{ and }}}} for the characters themselves"
        raise ExpressionFault(msg) from error
    parts: list[str | Slot] = []
    faults: list[str] = []
    for literal, name, spec, conversion in pieces:
        if literal:
            parts.append(literal)
        if name is None:
            continue
        fault = _slot_fault(name, spec or "", conversion, columns)
        if fault is not None:
            faults.append(fault)
            continue
        decimals = _DECIMALS.fullmatch(spec or "")
        parts.append(Slot(name, None if decimals is None else int(decimals.group(1))))
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        faults.append("has a control character or a line break in it")
    if text.strip() == "":
        faults.append("is empty; say why the rule fires")
    if faults:
        raise ExpressionFault("; ".join(faults))
    return Sentence(tuple(parts))


def _slot_fault(
    name: str, spec: str, conversion: str | None, columns: Mapping[str, Column]
) -> str | None:
    if name not in columns:
        return f"shows unknown column {{{name}}}{nearest(name, columns)}"
    if conversion is not None:
        return f"uses !{conversion} in {{{name}}}; write {{{name}}}"
    if columns[name].type == "text" and spec:
        return f"gives text {{{name}}} a number's format; write {{{name}}}"
    if columns[name].type == "number" and _DECIMALS.fullmatch(spec) is None:
        return f"shows number {{{name}}} without 0 to 6 decimals; write {{{name}:.0f}}"
    return None


def render_sentence(sentence: Sentence, dialect: Dialect) -> str:
    """The SQL text expression, never NULL, that makes the sentence of a row."""
    parts = [
        quote_text(part) if isinstance(part, str) else _render_slot(part, dialect)
        for part in sentence.parts
    ]
    return f"CONCAT({', '.join(parts)})"


def write_sentence(sentence: Sentence, row: Row) -> str:
    """The sentence of a row, in plain Python; what the SQL must give."""
    return "".join(
        part if isinstance(part, str) else _write_slot(part, row[part.column])
        for part in sentence.parts
    )


def _render_slot(slot: Slot, dialect: Dialect) -> str:
    column = quote_name(slot.column, dialect)
    missing = quote_text(MISSING)
    if slot.decimals is None:
        return f"COALESCE({column}, {missing})"
    if dialect == "flink":  # by a function of the kernel: the cast costs more than all rules
        return f"COALESCE(f_fixed({column}, {slot.decimals}), {missing})"
    # Rounded by hand, for the engines' own casts differ on ties; the cast then only writes it.
    scale = f"1e{slot.decimals}"
    rounded = f"FLOOR(ABS({column}) * {scale} + 5e-1) / {scale} * SIGN({column})"
    written = f"CAST(CAST({rounded} AS DECIMAL(38, {slot.decimals})) AS VARCHAR)"
    most = f"1e{CERTAIN_DIGITS - slot.decimals}"
    return f"CASE WHEN ABS({column}) < {most} THEN {written} ELSE {missing} END"


def _write_slot(slot: Slot, value: object) -> str:
    if slot.decimals is None:
        return MISSING if value is None else str(value)
    most = 10.0 ** (CERTAIN_DIGITS - slot.decimals)
    if not isinstance(value, int | float) or not abs(value) < most:
        return MISSING
    units = math.floor(abs(value) * 10.0**slot.decimals + 0.5)
    whole, fraction = divmod(units, 10**slot.decimals)
    sign = "-" if value < 0 and units > 0 else ""
    return f"{sign}{whole}" + (f".{fraction:0{slot.decimals}d}" if slot.decimals else "")
