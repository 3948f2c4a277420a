"""Makes the members of a transaction out of a row, by the rules of a mapping."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.contracts.faults import FaultReason
from pipelines.contracts.times import LAST_MS, format_time
from pipelines.replay.mapping import EPOCH_FORMATS, RFC_3339
from pipelines.replay.rows import RowFault, to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from pipelines.replay.mapping import FieldRule, RowMapping

NUMBERS = frozenset(
    {
        "amount",
        "latitude",
        "longitude",
        "billing_latitude",
        "billing_longitude",
        "shipping_latitude",
        "shipping_longitude",
    }
)
MINOR_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "UGX", "VND", "XAF", "XOF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""ISO 4217: the currencies whose minor unit is not a hundredth."""

_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,3})?")
# A mark between thousands is taken only where it stands between thousands: "12.50" where the comma
# is the decimal mark is a mistake, not 1250.
_GROUPED = {
    ".": re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)([.][0-9]+)?"),
    ",": re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def convert_row(row: Mapping[str, Any], mapping: RowMapping) -> dict[str, Any]:
    """The members of a transaction, not yet checked against the contract.

    ``event_time``, where there is one, is RFC 3339. Raises RowFault for a value that cannot be
    understood.
    """
    members = dict(mapping.constants)
    minor: Decimal | None = None
    for rule in mapping.rules:
        found = _translate(rule, _find(row, rule.column, mapping), mapping)
        if found is None:
            continue
        if rule.is_minor:
            minor = found
        else:
            members[rule.field] = found
    if minor is not None:
        digits = MINOR_DIGITS.get(str(members.get("currency")), 2)
        members["amount"] = minor.scaleb(-digits)
    for name in mapping.carry:
        found = _find(row, name, mapping)
        if found is not None:
            members[name] = to_plain(found)
    return members


def check_time(time_ms: int, name: str) -> int:
    """``time_ms`` itself; RowFault outside of the years 1970 to 9999."""
    if not 0 <= time_ms <= LAST_MS:
        detail = f"{name} is outside of the years 1970 to 9999"
        raise RowFault(FaultReason.BAD_TIME, detail)
    return time_ms


def _find(row: Mapping[str, Any], column: str, mapping: RowMapping) -> Any:
    """The value in ``column``, which may be a path of names with dots; None when it is missing."""
    found: Any = row
    if column in row:
        found = row[column]
    else:
        for name in column.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = found.strip()
        return None if found in mapping.missing else found
    is_nan = isinstance(found, float) and math.isnan(found)
    return None if is_nan else found


def _translate(rule: FieldRule, found: Any, mapping: RowMapping) -> Any:
    if found is None:
        return None
    if rule.values is not None:
        word = rule.values.get(str(found), rule.otherwise)
        if word is None:
            known = ", ".join(map(repr, rule.values))
            detail = f"{rule.column} is {found!r} - the mapping knows {known} for {rule.field}"
            raise RowFault(FaultReason.UNKNOWN_VALUE, detail)
        found = word
        if word == "":
            return None
    if rule.field == "event_time":
        return format_time(check_time(_read_time(rule, found), rule.column))
    if rule.field in NUMBERS:
        return _read_number(rule, found, mapping.decimal)
    return _read_text(rule, found)


def _read_text(rule: FieldRule, found: Any) -> str:
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool | float | dict | list | bytes):
        detail = f"{rule.column} is {found!r} - must be text for {rule.field}"
        raise RowFault(FaultReason.WRONG_TYPE, detail)
    if isinstance(found, int) and rule.field == "merchant_category":
        return f"{found:04d}"  # a number has lost the zeros in front
    return str(found)


def _read_number(rule: FieldRule, found: Any, decimal: str) -> Decimal:
    if isinstance(found, str) and _GROUPED[decimal].fullmatch(found):
        grouping = "," if decimal == "." else "."
        return Decimal(found.replace(grouping, "").replace(",", "."))
    is_number = isinstance(found, int | float | Decimal) and not isinstance(found, bool)
    text = str(found) if is_number or (isinstance(found, str) and decimal == ".") else ""
    if _PLAIN_NUMBER.fullmatch(text) is None:
        detail = f"{rule.column} is {found!r} - must be a number for {rule.field}"
        raise RowFault(FaultReason.WRONG_TYPE, detail)
    return Decimal(text)


def _read_time(rule: FieldRule, found: Any) -> int:
    try:
        if isinstance(found, datetime):
            return _to_ms(found, rule.zone)
        if rule.format in EPOCH_FORMATS:
            number = Decimal(str(found))
            return int(number * 1000 if rule.format == "epoch_s" else number)
        if rule.format == RFC_3339:
            return _to_ms(datetime.fromisoformat(str(found)), rule.zone)
        return _to_ms(datetime.strptime(str(found), rule.format), rule.zone)  # noqa: DTZ007
    except (ValueError, ArithmeticError) as error:
        detail = (
            f"{rule.column} is {str(found)!r} - not a time of the format {rule.format}: {error}"
        )
        raise RowFault(FaultReason.BAD_TIME, detail) from error


def _to_ms(moment: datetime, zone: ZoneInfo | None) -> int:
    """Of two moments with the same local time (when clocks go back), the first."""
    if moment.tzinfo is None:
        if zone is None:
            msg = "the time says no zone, and the mapping none either"
            raise ValueError(msg)
        moment = moment.replace(tzinfo=zone)
        if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment.replace(
            tzinfo=None
        ):
            msg = f"there is no such local time in {zone.key}, where clocks go forward"
            raise ValueError(msg)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
