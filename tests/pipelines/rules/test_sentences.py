"""Sentences that explain a rule, in plain Python; the engines are tested beside expressions."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.columns import Column
from pipelines.expressions.faults import ExpressionFault
from pipelines.rules.sentences import parse_sentence, render_sentence, write_sentence

COLUMNS = {
    "km": Column(name="km", type="number", about=""),
    "place": Column(name="place", type="text", about=""),
}


@pytest.mark.parametrize(
    ("text", "row", "written"),
    [
        ("{km:.0f} km to {place}", {"km": 2.5, "place": "Rome"}, "3 km to Rome"),
        ("{km:.2f}", {"km": -0.005}, "-0.01"),
        ("{km:.1f}", {"km": -0.04}, "0.0"),
        ("{km:.2f}", {"km": 200}, "200.00"),
        ("{km:.2f}", {"km": 9999999999999.99}, "9999999999999.99"),
        ("{km:.2f}", {"km": 1e13}, "?"),
        ("{km:.0f} {place}", {"km": None, "place": None}, "? ?"),
        ("{{{km:.0f}}} 100%", {"km": 1.0}, "{1} 100%"),
    ],
)
def test_numbers_are_written_as_people_round_them(
    text: str, row: dict[str, Any], written: str
) -> None:
    assert write_sentence(parse_sentence(text, COLUMNS), row) == written


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{kms:.0f}", "shows unknown column {kms} - did you mean km?"),
        ("{km}", "shows number {km} without 0 to 6 decimals; write {km:.0f}"),
        ("{km:.7f}", "shows number {km} without 0 to 6 decimals"),
        ("{km:,.0f}", "shows number {km} without 0 to 6 decimals"),
        ("{place:.1f}", "gives text {place} a number's format; write {place}"),
        ("{km!r:.0f}", "uses !r in {km}; write {km}"),
        ("{}", "shows unknown column {}"),
        ("{km.real:.0f}", "shows unknown column {km.real}"),
        ("{km:.0f", "has an odd bracket"),
        ("km} far", "has an odd bracket"),
        ("a\tb", "has a control character"),
        ("{kms:.0f} {plac}", "{kms} - did you mean km?; shows unknown column {plac}"),
    ],
)
def test_faulty_slots_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ExpressionFault) as caught:
        parse_sentence(text, COLUMNS)
    assert fault in str(caught.value)


def test_sql_quotes_names_and_texts() -> None:
    sentence = parse_sentence("it's {place}", COLUMNS)
    assert render_sentence(sentence, "flink") == "CONCAT('it''s ', COALESCE(`place`, '?'))"
