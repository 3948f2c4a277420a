"""The rate of a benchmark is the slope of its middle, worked out by hand here."""

from __future__ import annotations

import pytest

from bench.rate import Sample, slope_of
from pipelines.errors import JobError


def test_start_up_and_the_last_tenth_stay_out() -> None:
    samples = [
        Sample(0.0, 0, 0.0),
        Sample(30.0, 300, 25.0),  # slow: the JVM warms up
        Sample(32.0, 400, 26.0),  # a third is reached
        Sample(33.0, 650, 27.0),
        Sample(34.0, 900, 28.0),  # nine tenths
        Sample(60.0, 1000, 30.0),  # slow: one partition runs alone
    ]
    rate = slope_of(samples, job="job", records=1000)
    # 500 records in 2 s, with 2 s of all processors.
    assert (rate.records_per_second, rate.cpu_us_per_record) == (250.0, 4000.0)


def test_a_run_with_nothing_between_is_refused() -> None:
    samples = [Sample(0.0, 0, 0.0), Sample(1.0, 1000, 1.0)]
    with pytest.raises(JobError, match="too quick to measure: send more than 1000 records"):
        slope_of(samples, job="job", records=1000)
