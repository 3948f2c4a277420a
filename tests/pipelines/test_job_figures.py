"""The job's figures out of metrics under the names that Flink 2.3 gives them."""

from __future__ import annotations

import math

from pipelines.flink import Aggregate
from pipelines.job_figures import JobFigures, figures_of, wanted_names

SOURCE = "Source__KafkaSource-default_catalog_default_database_transactions"
CUSTOMERS = "Source__KafkaSource-default_catalog_default_database_customers"
WRITER = "outbox[16]__Writer.user.fraudlake"


def total(value: float, largest: float = 0.0) -> Aggregate:
    return Aggregate(sum=value, max=largest)


def test_figures_are_sums_over_subtasks_by_name_and_label() -> None:
    figures = figures_of(
        {
            f"{SOURCE}.deserializer.fraudlake.contract.transaction.records": total(3000),
            f"{SOURCE}.deserializer.fraudlake.contract.transaction.fault.not_json.faults": total(5),
            f"{SOURCE}.pendingRecords": total(12),
            f"{WRITER}.band.allow.decisions": total(2931),
            f"{WRITER}.band.block.decisions": total(2),
            f"{WRITER}.rule.far_jump.fired": total(7),
            f"{WRITER}.alerts": total(21),
            f"{WRITER}.late": total(0),
            f"{WRITER}.repeats": total(48),
            f"{WRITER}.decide_latency_ms_median": total(283, 146),
            f"{WRITER}.decide_latency_ms_p99": total(513, 292),
            "dead_letters[20]__Writer.numRecordsIn": total(5),
            "dead_letters[20]__Committer.failedCommittables": total(1),
            "outbox[16]__Committer.failedCommittables": total(2),
            "outbox[16]__Committer.retriedCommittables": total(0),
        }
    )
    assert figures == JobFigures(
        records_read=3000,
        faults={"not_json": 5},
        unread_records=12,
        bands={"allow": 2931, "block": 2},
        rules_fired={"far_jump": 7},
        alerts=21,
        late=0,
        repeats=48,
        decide_latency_p50_ms=146,
        decide_latency_p99_ms=292,
        dead_letters=5,
        failed_committables=3,
        retried_committables=0,
    )
    assert figures.decisions == 2933


def test_customers_are_no_transactions_and_committers_no_dead_letters() -> None:
    names = [
        f"{CUSTOMERS}.deserializer.fraudlake.contract.customer.records",
        f"{CUSTOMERS}.pendingRecords",
        "dead_letters[20]__Committer.numRecordsIn",
        "outbox[16]__Writer.numRecordsIn",
        f"{WRITER}.decide_latency_ms_min",
    ]
    assert wanted_names(names) == []
    assert figures_of({name: total(9) for name in names}) == JobFigures()


def test_what_is_not_measured_yet_is_unknown_and_not_nought() -> None:
    figures = figures_of({f"{WRITER}.decide_latency_ms_p99": total(math.nan, math.nan)})
    assert figures.decide_latency_p99_ms is None
    assert figures.records_read is None
    assert figures.decisions is None
    # The counters of bands are made when they first count.
    assert figures_of({f"{WRITER}.alerts": total(0)}).decisions == 0
