"""The benchmark of the lakehouse sink, run small against the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.lake.sink import run_sink_benchmark

if TYPE_CHECKING:
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

RECORDS = 2000
# An interpreter with pyarrow in it is no smaller; nor do so few records make it larger.
LEAST_MB, MOST_MB = 60, 2000


def test_both_processes_store_the_records_and_their_costs_can_be_compared(
    settings: Settings,
) -> None:
    found = run_sink_benchmark(settings, records=RECORDS, seed=7, say=print)

    assert 500 < found.record_bytes < 10_000
    for cost in (found.sink, found.yardstick):
        assert cost.records == RECORDS
        assert cost.cpu_s > 0
        assert cost.rows_a_cpu_second == pytest.approx(RECORDS / cost.cpu_s)
        assert LEAST_MB < cost.peak_mb < MOST_MB
