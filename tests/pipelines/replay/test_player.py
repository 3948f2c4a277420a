from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.contracts.times import parse_time
from pipelines.fx import load_fx
from pipelines.pacing import Pace
from pipelines.replay.mapping import FieldRule, RowMapping
from pipelines.replay.player import Destination, Replayed, replay
from pipelines.replay.rejects import Rejects
from pipelines.replay.rows import BAD_ROW, Row, RowFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = "2026-03-01T12:00:00Z"
MAPPING = RowMapping(
    rules=(
        FieldRule(field="transaction_id", column="id"),
        FieldRule(field="event_time", column="at"),
        FieldRule(field="amount", column="amount"),
    ),
    constants={
        "card_id": "c1",
        "customer_id": "u1",
        "merchant_id": "m1",
        "merchant_category": "5411",
        "currency": "EUR",
        "channel": "pos",
    },
)


class Wall:
    """A clock that only waiting moves, and the sender that waits: a legal RecordSender."""

    def __init__(self, now_ms: int) -> None:
        self.start_ms = now_ms
        self.now = 0.0
        self.sent: list[tuple[float, str, str]] = []
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_failure: str | None = None

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        assert key == b"c1"
        record = json.loads(value or b"")
        self.sent.append((round(self.now, 3), record["transaction_id"], record["event_time"]))
        self.acknowledged[topic] += 1

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def flush(self) -> None:
        pass

    def now_ms(self) -> int:
        return self.start_ms + round(self.now * 1000)


class Kept:
    """A legal RejectSink."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def write(self, row: Row, fault: RowFault) -> None:
        self.found.append((row.number, fault.reason))


def rows(*times: str, amount: Any = 5) -> list[Row]:
    return [
        Row(number=number, columns=columns, original=columns)
        for number, at in enumerate(times, start=1)
        for columns in [{"id": f"t{number}", "at": at, "amount": amount}]
    ]


def play(
    found: list[Row],
    wall: Wall,
    *,
    speed: float | None = 1.0,
    start_ms: int | None = None,
    rejects: Kept | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Replayed:
    destination = Destination(
        sender=wall, topic="t", currencies=load_fx().rates, now_ms=wall.now_ms
    )
    return replay(
        found,
        MAPPING,
        destination,
        Kept() if rejects is None else rejects,
        pace=Pace(speed=speed, clock=lambda: wall.now),
        start_ms=start_ms,
        should_stop=should_stop,
    )


def test_rows_are_paced_by_event_time_and_an_older_one_waits_for_nothing() -> None:
    wall = Wall(parse_time("2026-06-01T00:00:00Z"))
    times = (START, "2026-03-01T12:00:20Z", "2026-03-01T12:00:10Z", "2026-03-01T12:00:30Z")
    replayed = play(rows(*times), wall, speed=10.0)
    assert [(at, name) for at, name, _ in wall.sent] == [
        (0.0, "t1"),
        (2.0, "t2"),
        (2.0, "t3"),
        (3.0, "t4"),
    ]
    assert (replayed.rows, replayed.sent, replayed.acknowledged) == (4, 4, 4)
    assert replayed.first_ms == parse_time(START)
    assert replayed.last_ms == parse_time("2026-03-01T12:00:30Z")


def test_the_first_transaction_lands_at_the_start_and_the_others_as_far_from_it_as_before() -> None:
    start_ms = parse_time("2026-06-01T00:00:00.5Z")
    wall = Wall(start_ms)
    play(rows(START, "2026-03-01T12:00:02.25Z"), wall, start_ms=start_ms)
    assert wall.sent == [
        (0.0, "t1", "2026-06-01T00:00:00.500Z"),
        (2.25, "t2", "2026-06-01T00:00:02.750Z"),
    ]


def test_the_shift_is_set_by_the_first_row_that_is_good() -> None:
    wall = Wall(parse_time("2026-06-01T01:00:00Z"))
    found = [*rows("2020-01-01T00:00:00Z", amount=-1), *rows(START)]
    play(found, wall, start_ms=parse_time("2026-06-01T00:00:00Z"))
    assert [time for _, _, time in wall.sent] == ["2026-06-01T00:00:00.000Z"]


def test_every_row_is_sent_or_rejected_with_its_reason() -> None:
    wall = Wall(parse_time("2026-06-01T00:00:00Z"))
    unreadable = Row(number=9, columns={}, original="x", fault=RowFault(BAD_ROW, "line 9"))
    found = [
        *rows(START, "yesterday"),
        *rows(START, amount="free"),
        *rows(START, amount=-1),
        unreadable,
        *rows("2026-06-01T00:11:00Z"),
    ]
    kept = Kept()
    replayed = play(found, wall, speed=None, rejects=kept)
    assert (replayed.rows, replayed.sent) == (6, 1)
    assert replayed.rejected == {
        "bad_row": 1,
        "bad_time": 1,
        "event_time_in_future": 1,
        "out_of_range": 1,
        "wrong_type": 1,
    }
    assert [reason for _, reason in kept.found] == [
        "bad_time",
        "wrong_type",
        "out_of_range",
        "bad_row",
        "event_time_in_future",
    ]


def test_a_live_replay_may_be_longer_than_the_tolerance_for_the_future() -> None:
    start_ms = parse_time("2026-06-01T00:00:00Z")
    wall = Wall(start_ms)
    replayed = play(rows(START, "2026-03-01T13:00:00Z"), wall, start_ms=start_ms)
    assert (replayed.sent, replayed.rejected) == (2, {})


def test_a_shift_out_of_the_calendar_rejects_the_row() -> None:
    wall = Wall(parse_time("2026-06-01T00:00:00Z"))
    found = rows("2026-03-01T12:00:00Z", "1990-01-01T00:00:00Z")
    replayed = play(found, wall, speed=None, start_ms=parse_time("1980-01-01T00:00:00Z"))
    assert replayed.rejected == {"bad_time": 1}


def test_a_stop_counts_only_rows_that_were_dealt_with() -> None:
    wall = Wall(parse_time("2026-06-01T00:00:00Z"))
    found = rows(START, "2026-03-01T12:00:01Z", "2026-03-01T14:00:00Z")
    replayed = play(found, wall, should_stop=lambda: wall.now > 5)
    assert replayed.is_stopped
    assert (replayed.rows, replayed.sent) == (2, 2)


def test_the_rejects_file_holds_what_is_needed_to_mend_a_row(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("from the last time\n")
    rejects = Rejects(path)
    row = Row(number=7, columns={}, original={"AMT": "frëe"})
    rejects.write(row, RowFault("wrong_type", "AMT is 'frëe'"))
    rejects.close()
    assert [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] == [
        {
            "row": 7,
            "reason": "wrong_type",
            "detail": "AMT is 'frëe'",
            "original": {"AMT": "frëe"},
        }
    ]


def test_without_rejects_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("from the last time\n")
    Rejects(path).close()
    assert not path.exists()


@pytest.mark.parametrize("speed", [None, 1e6])
def test_fast_replays_send_everything(speed: float | None) -> None:
    wall = Wall(parse_time("2026-06-01T00:00:00Z"))
    assert play(rows(*[START] * 1000), wall, speed=speed).acknowledged == 1000
