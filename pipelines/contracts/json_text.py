"""Strict JSON for records: one value, valid UTF-8, exact numbers; and compact JSON back.

Numbers with a fraction or an exponent, and integers of more than 18 digits, are read as ``Decimal``
so that nothing is rounded on the way. Of a repeated member the last one counts. ``NaN`` and
``Infinity`` are not JSON, and neither is a number of more than 1000 digits: reading one takes
time that grows with the square of its length.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines.contracts.faults import ContractFault, FaultReason

_MOST_DIGITS = 1000
"""As for Jackson, which reads the same records in the job."""


def read_object(value: bytes | None) -> dict[str, Any]:
    """The members of the one JSON object that ``value`` is.

    Raises ContractFault with ``empty``, ``not_json`` or ``not_an_object``.
    """
    found = _read(_text(value))
    if not isinstance(found, dict):
        msg = f"the record is {json_type(found)} - must be a JSON object"
        raise ContractFault(FaultReason.NOT_AN_OBJECT, msg)
    return found


def read_raw_members(value: bytes | None) -> dict[str, str]:
    """The members of the object as the texts they were written with, byte for byte.

    >>> read_raw_members(b'{"a": {"x":1.50}, "b":null}')
    {'a': '{"x":1.50}', 'b': 'null'}
    """
    read_object(value)  # from here on the text is known to be one good object
    text = _text(value)
    members: dict[str, str] = {}
    at = _skip_space(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _skip_space(text, _skip_space(text, at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        members[name] = text[start:end]
        at = _skip_space(text, end)
        if text[at] == ",":
            at = _skip_space(text, at + 1)
    return members


def write_object(members: dict[str, Any]) -> bytes:
    """``members`` as compact JSON in UTF-8; a ``Decimal`` keeps its digits."""
    text = _write(members)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON allows as an escape only
        return "".join(c if c < "\x80" else json.dumps(c)[1:-1] for c in text).encode()


def json_type(value: object) -> str:
    """What JSON calls the type of ``value``, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def _text(value: bytes | None) -> str:
    if value is None or len(value) == 0:
        msg = "the record has no value - must be a JSON object"
        raise ContractFault(FaultReason.EMPTY, msg)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"byte {error.start} is not UTF-8 ({error.reason}) - must be JSON in UTF-8"
        raise ContractFault(FaultReason.NOT_JSON, msg) from error


def _read(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        msg = f"not JSON at character {error.pos}: {error.msg} - must be one JSON object"
        raise ContractFault(FaultReason.NOT_JSON, msg) from error
    except RecursionError as error:
        msg = "nested too deeply to be read - must be one JSON object"
        raise ContractFault(FaultReason.NOT_JSON, msg) from error


def _read_integer(text: str) -> int | Decimal:
    _check_digits(text)
    return int(text) if len(text) <= 18 else Decimal(text)


def _read_decimal(text: str) -> Decimal:
    _check_digits(text)
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal can hold: 18 digits and more
        sign = "-" if text.startswith("-") else ""
        return Decimal(f"{sign}0" if "e-" in text.lower() else f"{sign}Infinity")


def _check_digits(text: str) -> None:
    if len(text) > _MOST_DIGITS and (digits := sum(map(str.isdigit, text))) > _MOST_DIGITS:
        msg = f"a number of {digits} digits; at most {_MOST_DIGITS} are read"
        raise json.JSONDecodeError(msg, text, 0)


def _refuse_constant(text: str) -> None:
    msg = f"{text} is not JSON"
    raise json.JSONDecodeError(msg, text, 0)


_DECODER = json.JSONDecoder(
    parse_int=_read_integer, parse_float=_read_decimal, parse_constant=_refuse_constant
)


def _skip_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _write(value: Any) -> str:
    if type(value) is str:  # most values; RawJson is one of its own
        return _encode(value)
    if isinstance(value, dict):
        return f"{{{','.join([f'{_encode(name)}:{_write(v)}' for name, v in value.items()])}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_write, value))}]"
    if isinstance(value, RawJson):
        return str(value)
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else f"{value:f}".replace("Infinity", _BEYOND)
    return _encode(value)


_BEYOND = "1E+1000000000000000000"


class RawJson(str):
    """Text that is JSON already and is written as it stands."""

    __slots__ = ()
