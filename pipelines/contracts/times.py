"""Times of records: RFC 3339 in UTC on the wire, milliseconds since 1970 inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SHAPE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.]([0-9]{1,9}))?(?:Z|[+]00:00)"
)
LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parse_time(text: str) -> int:
    """Milliseconds since 1970; digits below a millisecond are cut off.

    Raises ValueError unless ``text`` is a real moment of the years 1970 to 9999, in UTC, written
    with ``Z`` or ``+00:00``. There is no leap second: second 60 is refused.

    >>> parse_time("2026-03-01T12:00:00.1239Z") - parse_time("2026-03-01T12:00:00+00:00")
    123
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        msg = "not RFC 3339 in UTC"
        raise ValueError(msg)
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    if year < 1970:
        msg = "before 1970"
        raise ValueError(msg)
    fraction = match.group(7)
    milliseconds = 0 if fraction is None else int(fraction[:3].ljust(3, "0"))
    return (moment - _EPOCH) // _MILLISECOND + milliseconds


def format_time(time_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds.

    >>> format_time(1_767_225_600_042)
    '2026-01-01T00:00:00.042Z'
    """
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
