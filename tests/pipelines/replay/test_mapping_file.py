from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import MappingError
from pipelines.fx import load_fx
from pipelines.replay.mapping_file import check_columns, load_mapping

if TYPE_CHECKING:
    from pipelines.replay.mapping import RowMapping

RATES = load_fx().rates
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
GOOD = """\
[constants]
currency = "EUR"
channel = "pos"

[fields]
transaction_id = "REF"
event_time = { column = "AT", format = "%Y-%m-%d %H:%M:%S", zone = "Europe/Berlin" }
card_id = "CARD"
customer_id = "CLIENT"
merchant_id = "SHOP"
merchant_category = "MCC"
amount = { column = "AMT", unit = "minor" }
"""


def load(tmp_path: Path, text: str) -> RowMapping:
    path = tmp_path / "m.toml"
    path.write_text(text)
    return load_mapping(path, currencies=RATES)


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(MappingError) as caught:
        load(tmp_path, text)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_a_good_mapping(tmp_path: Path) -> None:
    mapping = load(tmp_path, GOOD)
    assert mapping.constants == {"currency": "EUR", "channel": "pos"}
    assert mapping.columns() == ("REF", "AT", "CARD", "CLIENT", "SHOP", "MCC", "AMT")
    (amount,) = [rule for rule in mapping.rules if rule.field == "amount"]
    assert amount.is_minor


def test_the_shipped_example_is_without_fault() -> None:
    assert load_mapping(EXAMPLES / "bank_history.toml", currencies=RATES).delimiter == ";"


def test_all_faults_come_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """\
[sources]
x = 1
[source]
delimeter = ";"
format = "xls"
[constants]
curency = "EUR"
channel = "POS"
[fields]
transaction_id = "REF"
event_time = { column = "AT", format = "%d.%m.%Y" }
card_id = 7
amount = { column = "AMT", unit = "cents", zone = "UTC" }
latitude = { colum = "LAT" }
[fields.kind]
column = "TYPE"
values = { "P" = "purchas" }
"""
    assert faults(tmp_path, text) == [
        "line 1: unknown section [sources] - did you mean 'source'?",
        "line 4: unknown setting delimeter - did you mean 'delimiter'?",
        "line 5: format = 'xls' - must be one of csv, jsonl, parquet",
        "line 7: unknown field curency - did you mean 'currency'?",
        "line 8: channel is 'POS' - must be one of pos, ecom, atm",
        *(
            f"line 9: {name} is missing - it is required, from a column in [fields] or as one of "
            "the [constants]"
            for name in ("customer_id", "merchant_id", "merchant_category", "currency")
        ),
        "line 11: event_time: zone is missing - say in which time zone the file is written: "
        'zone = "UTC" or zone = "Europe/Berlin"',
        'line 12: card_id - must be a column\'s name, or a table such as { column = "NAME" }',
        "line 13: amount: zone is for event_time only",
        "line 13: amount: unit = 'cents' - must be major or minor",
        'line 14: latitude - must be a column\'s name, or a table such as { column = "NAME" }',
        "line 15: kind: 'purchas' is not allowed - did you mean 'purchase'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"Europe/Berlin"', '"Europe/Berln"', "zone = 'Europe/Berln' - must be a time zone"),
        ('"%Y-%m-%d %H:%M:%S"', '"ISO"', "format = 'ISO' - must be one of rfc3339, epoch_s"),
        ('"EUR"', '"XTS"', "has no exchange rate"),
        ('card_id = "CARD"', 'card_id = "CARD"\ncurrency = "C"', "stands in [fields], too"),
        ("[fields]", '[source]\nencoding = "utf9"\n[fields]', "encoding = 'utf9'"),
        ("[fields]", '[source]\ndecimal = ";"\n[fields]', "decimal must be '.' or ','"),
        ("[fields]", '[source]\ndelimiter = "||"\n[fields]', "must be one character"),
        ("[fields]", '[source]\nmissing = "NULL"\n[fields]', "missing must be a list of texts"),
        ("[fields]", '[carry]\ncolumns = ["amount"]\n[fields]', "is a field of the contract"),
        ("[fields]", "[carry]\ncolumns = 1\n[fields]", "columns must be a list of names"),
        ("[fields]", 'fields = "x"\n[other]', "unknown section [other]"),
        (
            'unit = "minor"',
            'otherwise = "1"',
            "amount: otherwise must be text, beside values",
        ),
        ('unit = "minor"', "values = { a = 1 }", "amount: values must be a table such as"),
    ],
)
def test_one_fault(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert any(sentence in fault for fault in faults(tmp_path, GOOD.replace(old, new, 1)))


def test_a_file_that_is_not_toml_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="is not TOML"):
        load(tmp_path, "[fields")
    with pytest.raises(MappingError, match="cannot be read"):
        load_mapping(tmp_path / "other.toml", currencies=RATES)


def test_columns_the_file_does_not_have_are_named_with_a_suggestion(tmp_path: Path) -> None:
    mapping = load(tmp_path, GOOD)
    columns = ("REF", "AT", "CARD", "CLIENT", "SHOPS", "mcc", "AMT")
    with pytest.raises(MappingError) as caught:
        check_columns(mapping, columns, Path("bank.csv"))
    assert str(caught.value).splitlines() == [
        "bank.csv does not fit the mapping:",
        "  no column 'SHOP' - did you mean 'SHOPS'?",
        "  no column 'MCC' - did you mean 'mcc'?",
    ]
    check_columns(mapping, (*columns, "SHOP", "MCC"), Path("bank.csv"))
    check_columns(mapping, None, Path("bank.jsonl"))
