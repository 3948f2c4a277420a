from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines.contracts.faults import ContractFault
from pipelines.contracts.json_text import (
    RawJson,
    json_type,
    read_object,
    read_raw_members,
    write_object,
)


def test_raw_members_are_the_very_bytes_they_were_written_with() -> None:
    text = ' {"a" : {"x": 1.50,\n "y":[1E2]} ,"b\\u0062":"\\u00e9é" , "c":null,"a":-0.0}\n'
    assert read_raw_members(text.encode()) == {"a": "-0.0", "bb": '"\\u00e9é"', "c": "null"}
    assert read_raw_members(b"{ }") == {}


def test_raw_members_of_a_broken_object_are_refused() -> None:
    with pytest.raises(ContractFault):
        read_raw_members(b'{"a":1')


def test_numbers_keep_their_digits() -> None:
    found = read_object(b'{"a":1.10,"b":7,"c":1e3,"d":1234567890123456789}')
    assert found == {"a": Decimal("1.10"), "b": 7, "c": Decimal(1000), "d": 1234567890123456789}
    assert str(found["a"]) == "1.10"


def test_an_object_is_written_compactly_and_raw_text_as_it_stands() -> None:
    members = {"é": 'a"\n', "n": [Decimal("1.10"), 0.5, True, None], "raw": RawJson('{ "x":1 }')}
    written = '{"é":"a\\"\\n","n":[1.10,0.5,true,null],"raw":{ "x":1 }}'
    assert write_object(members) == written.encode()


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    assert write_object({"é": "\ud83d", "ok": "💳"}) == (
        b'{"\\u00e9":"\\ud83d","ok":"\\ud83d\\udcb3"}'
    )


def test_a_number_beyond_every_number_stays_beyond() -> None:
    beyond = read_object(b'{"a":-1e99999999999999999999,"b":1e-99999999999999999999}')
    assert beyond == {"a": Decimal("-Infinity"), "b": 0}
    assert read_object(write_object(beyond)) == beyond


def test_a_double_that_is_no_number_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_object({"a": float("nan")})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        ({}, "an object"),
        ([], "an array"),
        ("", "a string"),
        (False, "true or false"),
        (0, "a number"),
        (Decimal(0), "a number"),
    ],
)
def test_json_types_are_named_as_json_names_them(value: object, words: str) -> None:
    assert json_type(value) == words
