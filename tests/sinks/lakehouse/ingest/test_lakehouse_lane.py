"""One table waits, the others do not; what is kept, and what is read again."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.ingest import run as module
from sinks.lakehouse.ingest.lane import LONGEST_WAIT_SECONDS, Backoff, Lane

if TYPE_CHECKING:
    from contextlib import ExitStack

    from sinks.lakehouse.ingest.loader import Loader


@dataclass
class Table:
    """What a loader meets: ``faults`` in turn, then nothing. Its story is told in ``events``."""

    faults: list[Exception] = field(default_factory=list)
    keeps_batch: bool = False
    events: list[str] = field(default_factory=list)

    def open(self, *, opened: ExitStack, accept_gap: bool) -> Loader:
        self.events.append("open over gaps" if accept_gap else "open")
        opened.callback(self.events.append, "close")
        return cast("Loader", FakeLoader(self))


class FakeLoader:
    """A loader that fails as its table says."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.is_closed = False

    def step(self, *, seconds: float) -> int:
        self._do("step")
        return 1

    def grow(self) -> None:
        self._do("grow")

    def finish(self) -> None:
        self._do("finish")

    def _do(self, what: str) -> None:
        self.is_closed = False
        if self._table.faults:
            self.is_closed = self._table.keeps_batch
            raise self._table.faults.pop(0)
        self._table.events.append(what)


def lane_of(table: Table, now: list[float], *, accept_gap: bool = False) -> Lane:
    return Lane(
        "decisions",
        open_loader=table.open,
        accept_gap=accept_gap,
        stop=threading.Event(),
        backoff=Backoff(Random(1), lambda: now[0]),
        clock=lambda: now[0],
    )


def test_what_was_read_before_a_fault_is_read_again_by_another_loader() -> None:
    now = [0.0]
    table = Table(faults=[TransientError("Kafka is away")])
    lane = lane_of(table, now, accept_gap=True)

    assert (lane.step(seconds=0), lane.is_well) == (0, False)
    assert (lane.step(seconds=0), table.events) == (0, ["open over gaps", "close"])  # it waits
    now[0] = LONGEST_WAIT_SECONDS
    assert (lane.step(seconds=0), lane.is_well) == (1, True)

    assert table.events == ["open over gaps", "close", "open", "step"]


def test_a_batch_that_is_closed_is_kept_until_its_table_takes_it() -> None:
    now = [0.0]
    table = Table(faults=[TransientError("no space left")] * 3, keeps_batch=True)
    lane = lane_of(table, now)
    for now[0] in (0, 20, 40):
        assert lane.step(seconds=0) == 0

    now[0] = 60
    assert lane.step(seconds=0) == 1

    assert table.events == ["open", "step"]


def test_the_waits_grow_up_to_a_limit_and_begin_anew_after_good_times() -> None:
    now = [0.0]
    backoff = Backoff(Random(1), lambda: now[0])
    waits = []
    for _ in range(10):
        waits.append(backoff.next_seconds())
        now[0] += waits[-1]
    now[0] += 100

    assert waits[0] <= 1
    assert LONGEST_WAIT_SECONDS / 2 <= waits[-1] <= LONGEST_WAIT_SECONDS
    assert backoff.next_seconds() <= 0.5


def test_a_table_that_waits_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    now = [0.0]
    waiting = Table(faults=[TransientError("has no features.b")] * 1000, keeps_batch=True)
    told: list[bool] = []

    class Busy(Table):
        def open(self, *, opened: ExitStack, accept_gap: bool) -> Loader:
            loader = super().open(opened=opened, accept_gap=accept_gap)
            step = loader.step

            def count(*, seconds: float) -> int:
                if len(self.events) > 20:
                    stop.set()
                return step(seconds=seconds)

            loader.step = count  # type: ignore[method-assign]
            return loader

    busy = Busy()
    module._serve([lane_of(waiting, now), lane_of(busy, now)], stop=stop, on_session=told.append)

    assert busy.events.count("step") > 20
    assert busy.events[-1] == "finish"
    assert waiting.events == ["open"]
    assert told == []
    assert "event=waiting table=decisions" in caplog.text


def test_all_is_well_is_told_once_and_so_is_its_end() -> None:
    stop = threading.Event()
    told: list[bool] = []
    ticks = itertools.count(step=5)  # each look at the clock is five seconds later

    class Failing(Table):
        steps = 0

        def open(self, *, opened: ExitStack, accept_gap: bool) -> Loader:
            loader = super().open(opened=opened, accept_gap=accept_gap)

            def step(*, seconds: float) -> int:
                self.steps += 1
                if self.steps == 3:
                    raise TransientError("away")
                if self.steps == 5:
                    stop.set()
                return 1

            loader.step = step  # type: ignore[method-assign]
            return loader

    lane = Lane(
        "decisions",
        open_loader=Failing().open,
        accept_gap=False,
        stop=stop,
        backoff=Backoff(Random(1), lambda: float(next(ticks))),
        clock=lambda: float(next(ticks)),
    )
    module._serve([lane], stop=stop, on_session=told.append)

    assert told == [True, False, True, False]


def test_what_cannot_be_waited_out_ends_the_sink() -> None:
    lane = lane_of(Table(faults=[SinkError("another writer")]), [0.0])

    with pytest.raises(SinkError):
        lane.step(seconds=0)
