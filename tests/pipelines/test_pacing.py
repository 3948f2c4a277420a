from __future__ import annotations

import pytest

from pipelines.pacing import Pace, parse_span, parse_speed


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_record_is_due_as_long_after_the_first_as_its_time_says() -> None:
    clock = Clock()
    pace = Pace(speed=10.0, clock=clock)
    assert pace.seconds_until(5000) == 0
    assert pace.seconds_until(25_000) == pytest.approx(2.0)
    clock.now += 1.5
    assert pace.seconds_until(25_000) == pytest.approx(0.5)


def test_being_late_once_does_not_move_the_schedule() -> None:
    clock = Clock()
    pace = Pace(speed=1.0, clock=clock)
    assert pace.seconds_until(0) == 0
    clock.now += 7  # an outage
    assert pace.seconds_until(5000) == 0
    assert pace.seconds_until(8000) == pytest.approx(1.0)


def test_a_schedule_may_begin_at_a_moment_of_its_own() -> None:
    clock = Clock()
    pace = Pace(speed=2.0, clock=clock)
    pace.start_at(1000, clock.now + 3)
    assert pace.seconds_until(1000) == pytest.approx(3.0)
    assert pace.seconds_until(2000) == pytest.approx(3.5)


def test_as_fast_as_possible_never_waits() -> None:
    pace = Pace(speed=None, clock=Clock())
    assert [pace.seconds_until(at_ms) for at_ms in (0, 10**12)] == [0, 0]


@pytest.mark.parametrize(
    ("text", "speed"), [("max", None), ("1x", 1.0), ("10x", 10.0), ("0.5x", 0.5), ("3", 3.0)]
)
def test_speeds(text: str, speed: float | None) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "0x", "-1x", "fast", "nanx", "infx", "1xx"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be max"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("text", "span_ms"),
    [("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000), ("0.5s", 500)],
)
def test_spans(text: str, span_ms: int) -> None:
    assert parse_span(text) == span_ms


@pytest.mark.parametrize("text", ["", "30", "s", "1w", "-5s", "1h30m", "nans", "infd"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a number with a unit"):
        parse_span(text)
