from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contracts.times import format_time, parse_time

END_OF_9999_MS = 253_402_300_799_999


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02T00:00:00.5+00:00", 86_400_500),
        ("2000-03-01T00:00:00.0009Z", 951_868_800_000),
        ("9999-12-31T23:59:59.999999999Z", END_OF_9999_MS),
    ],
)
def test_times_are_milliseconds_since_1970_cut_not_rounded(text: str, time_ms: int) -> None:
    assert parse_time(text) == time_ms


@given(st.integers(0, END_OF_9999_MS))
def test_a_written_time_reads_back_and_is_what_the_calendar_says(time_ms: int) -> None:
    text = format_time(time_ms)
    assert parse_time(text) == time_ms
    calendar = datetime.fromisoformat(text)
    assert calendar.tzinfo == UTC
    assert calendar.microsecond == time_ms % 1000 * 1000
    assert int(calendar.timestamp()) == time_ms // 1000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-02-30T00:00:00Z", "day is out of range"),
        ("1969-12-31T23:59:59Z", "before 1970"),
        ("now", "not RFC 3339"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_time(text)
