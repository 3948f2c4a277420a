from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.replay.convert import convert_row
from pipelines.replay.mapping import FieldRule, RowMapping
from pipelines.replay.rows import RowFault

BERLIN = ZoneInfo("Europe/Berlin")


def convert(rule: FieldRule, value: Any, **settings: Any) -> Any:
    mapping = RowMapping(rules=(rule,), **settings)
    return convert_row({rule.column: value}, mapping).get(rule.field)


def time_rule(pattern: str, zone: ZoneInfo | None = None) -> FieldRule:
    return FieldRule(field="event_time", column="AT", format=pattern, zone=zone)


@pytest.mark.parametrize(
    ("rule", "value", "time"),
    [
        (time_rule("rfc3339"), "2026-03-01T12:00:00.1239Z", "2026-03-01T12:00:00.123Z"),
        (time_rule("rfc3339"), "2026-03-01T12:00:00+05:30", "2026-03-01T06:30:00.000Z"),
        (time_rule("epoch_s"), "1772366400.5", "2026-03-01T12:00:00.500Z"),
        (time_rule("epoch_s"), 1772366400, "2026-03-01T12:00:00.000Z"),
        (time_rule("epoch_ms"), 1772366400123, "2026-03-01T12:00:00.123Z"),
        (time_rule("%d.%m.%Y %H:%M", BERLIN), "01.03.2026 12:00", "2026-03-01T11:00:00.000Z"),
        (time_rule("%d.%m.%Y %H:%M", BERLIN), "01.07.2026 12:00", "2026-07-01T10:00:00.000Z"),
        (time_rule("%d.%m.%Y %H:%M %z"), "01.03.2026 12:00 +0100", "2026-03-01T11:00:00.000Z"),
        # When clocks go back an hour comes twice: the first one is taken.
        (time_rule("%d.%m.%Y %H:%M", BERLIN), "25.10.2026 02:30", "2026-10-25T00:30:00.000Z"),
        (time_rule("rfc3339"), datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00.000Z"),
        (
            time_rule("rfc3339"),
            datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=-5))),
            "2026-03-01T17:00:00.000Z",
        ),
        (time_rule("rfc3339", BERLIN), datetime(2026, 3, 1, 12), "2026-03-01T11:00:00.000Z"),  # noqa: DTZ001
    ],
)
def test_times(rule: FieldRule, value: Any, time: str) -> None:
    assert convert(rule, value) == time


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (time_rule("rfc3339"), "yesterday"),
        (time_rule("rfc3339"), "2026-03-01T12:00:00"),
        (time_rule("epoch_s"), "soon"),
        (time_rule("epoch_s"), "nan"),
        (time_rule("epoch_ms"), "-1"),
        (time_rule("epoch_s"), "1e99"),
        (time_rule("%d.%m.%Y", BERLIN), "31.02.2026"),
        # There is no half past two in the night when clocks go forward.
        (time_rule("%d.%m.%Y %H:%M", BERLIN), "29.03.2026 02:30"),
    ],
)
def test_what_is_no_time_is_a_fault_that_names_column_and_value(
    rule: FieldRule, value: Any
) -> None:
    with pytest.raises(RowFault) as caught:
        convert(rule, value)
    assert caught.value.reason == "bad_time"
    assert caught.value.detail.startswith("AT is")


@pytest.mark.parametrize(
    ("value", "decimal", "amount"),
    [
        ("12.50", ".", "12.50"),
        ("1,234.50", ".", "1234.50"),
        ("1.5e3", ".", "1500"),
        ("12,50", ",", "12.50"),
        ("1.234,50", ",", "1234.50"),
        ("1.234.567", ",", "1234567"),
        (" 7 ", ",", "7"),
        (12.5, ",", "12.5"),
        (0.1, ".", "0.1"),
        (7, ".", "7"),
        (Decimal("12.500"), ",", "12.500"),
    ],
)
def test_amounts(value: Any, decimal: str, amount: str) -> None:
    rule = FieldRule(field="amount", column="AMT")
    assert convert(rule, value, decimal=decimal) == Decimal(amount)


@pytest.mark.parametrize(
    ("value", "decimal"),
    [
        ("12.50", ","),  # not 1250
        ("12,50", "."),
        ("1,23,456", "."),
        ("1e3", ","),
        ("free", "."),
        ("0x10", "."),
        ("١٢", "."),
        (True, "."),
        (float("inf"), "."),
        ([1], "."),
    ],
)
def test_what_is_no_number_is_a_fault(value: Any, decimal: str) -> None:
    with pytest.raises(RowFault, match=r"AMT is .* must be a number for amount") as caught:
        convert(FieldRule(field="amount", column="AMT"), value, decimal=decimal)
    assert caught.value.reason == "wrong_type"


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("EUR", "1999", "19.99"),
        ("JPY", "1999", "1999"),
        ("KWD", "1999", "1.999"),
        ("EUR", 5, "0.05"),
        ("EUR", "1e3", "10.00"),
    ],
)
def test_minor_units_are_those_of_the_currency(currency: str, minor: Any, amount: str) -> None:
    rule = FieldRule(field="amount", column="AMT", is_minor=True)
    assert convert(rule, minor, constants={"currency": currency}) == Decimal(amount)


def test_the_currency_of_a_minor_amount_may_be_a_column_after_it() -> None:
    rules = (
        FieldRule(field="amount", column="AMT", is_minor=True),
        FieldRule(field="currency", column="CCY"),
    )
    found = convert_row({"AMT": "500", "CCY": "JPY"}, RowMapping(rules=rules))
    assert found == {"currency": "JPY", "amount": Decimal(500)}


def test_words_are_translated_and_an_unknown_one_is_a_fault() -> None:
    rule = FieldRule(field="channel", column="T", values={"P": "pos", "1": "atm", "-": ""})
    assert convert(rule, "P") == "pos"
    assert convert(rule, 1) == "atm"
    assert convert(rule, "-") is None
    with pytest.raises(RowFault, match="T is 'X' - the mapping knows 'P', '1', '-' for channel"):
        convert(rule, "X")
    lenient = FieldRule(field="channel", column="T", values={"P": "pos"}, otherwise="ecom")
    assert convert(lenient, "X") == "ecom"


@pytest.mark.parametrize("value", [None, "", "  ", "NULL", float("nan")])
def test_missing_values_are_absent(value: Any) -> None:
    rule = FieldRule(field="country", column="C")
    assert convert(rule, value, missing=frozenset({"", "NULL"})) is None


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("card_id", 4711, "4711"),
        ("card_id", 4711.0, "4711"),
        ("card_id", " c1 ", "c1"),
        ("merchant_category", 742, "0742"),
        ("merchant_category", "742", "742"),
        ("device_id", date(2026, 3, 1), "2026-03-01"),
    ],
)
def test_text_out_of_other_types(field: str, value: Any, text: str) -> None:
    assert convert(FieldRule(field=field, column="X"), value) == text


@pytest.mark.parametrize("value", [True, 4711.5, {"id": 1}, [1], b"x"])
def test_what_is_no_text_is_a_fault(value: Any) -> None:
    with pytest.raises(RowFault, match="must be text for card_id"):
        convert(FieldRule(field="card_id", column="X"), value)


def test_a_column_may_be_a_path_into_an_object() -> None:
    rule = FieldRule(field="card_id", column="card.token")
    mapping = RowMapping(rules=(rule,))
    assert convert_row({"card": {"token": "c1"}}, mapping) == {"card_id": "c1"}
    assert convert_row({"card.token": "c2", "card": {"token": "c1"}}, mapping) == {"card_id": "c2"}
    assert convert_row({"card": "c1"}, mapping) == {}


def test_carried_columns_keep_their_values_as_json_can_hold_them() -> None:
    mapping = RowMapping(rules=(), carry=("a", "b", "c", "d", "e"))
    row = {"a": Decimal("1.50"), "b": [date(2026, 3, 1)], "c": "", "d": {"x": 1}, "f": 1}
    assert convert_row(row, mapping) == {"a": Decimal("1.50"), "b": ["2026-03-01"], "d": {"x": 1}}
