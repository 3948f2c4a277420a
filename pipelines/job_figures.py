"""The main figures of the running job, out of Flink's metrics; docs/job.md says what each counts.

Counts begin anew when the tasks start, be it after a failure. What the cluster has not measured yet
is None: it collects metrics now and then, and a counter of a label exists once it counts.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipelines.flink import Aggregate, FlinkRest

NAMES_EVERY = 5
"""So many reads share one look at which metrics there are."""

_OUTBOX = r"outbox.*Writer\..*fraudlake"
_SOURCE = r"transactions\..*fraudlake\.contract\.transaction"
_WANTED = {
    "records_read": rf"{_SOURCE}\.records",
    "faults": rf"{_SOURCE}\.fault\.(\w+)\.faults",
    "unread_records": r"transactions\.pendingRecords",
    "bands": rf"{_OUTBOX}\.band\.(\w+)\.decisions",
    "rules_fired": rf"{_OUTBOX}\.rule\.(.+)\.fired",
    "alerts": rf"{_OUTBOX}\.alerts",
    "late": rf"{_OUTBOX}\.late",
    "repeats": rf"{_OUTBOX}\.repeats",
    "decide_latency_p50_ms": rf"{_OUTBOX}\.decide_latency_ms_median",
    "decide_latency_p99_ms": rf"{_OUTBOX}\.decide_latency_ms_p99",
    "dead_letters": r"dead_letters.*Writer\.numRecordsIn",
    "failed_committables": r"(?:outbox|dead_letters).*Committer\.failedCommittables",
    "retried_committables": r"(?:outbox|dead_letters).*Committer\.retriedCommittables",
}
# Names as Flink gives them: the operator's, with its own punctuation, then the metric's.
_PATTERNS = {figure: re.compile(rf"(?:.*[^a-z])?{text}") for figure, text in _WANTED.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFigures:
    """What the tasks that run now have done since they started."""

    records_read: int | None = None
    unread_records: int | None = None
    """Records that lie in the topic and have not been fetched."""
    bands: Mapping[str, int] = field(default_factory=dict)
    """Decisions by band."""
    alerts: int | None = None
    """Revisions of alerts."""
    late: int | None = None
    repeats: int | None = None
    dead_letters: int | None = None
    faults: Mapping[str, int] = field(default_factory=dict)
    """Records that break their contract, by its reason."""
    rules_fired: Mapping[str, int] = field(default_factory=dict)
    failed_committables: int | None = None
    """Kafka transactions that could not be committed: what they held is lost."""
    retried_committables: int | None = None
    decide_latency_p50_ms: int | None = None
    """Of the slowest subtask, over its newest samples."""
    decide_latency_p99_ms: int | None = None

    @property
    def decisions(self) -> int | None:
        """In all bands; None while nothing is known."""
        return sum(self.bands.values()) if self.alerts is not None else None


class FigureReader:
    """Reads the figures of jobs, one after another or again and again."""

    def __init__(self, rest: FlinkRest) -> None:
        self._rest = rest
        self._job_id = ""
        self._names: dict[str, list[str]] = {}
        self._reads = 0

    def read(self, job_id: str) -> JobFigures:
        """The figures as of the cluster's last look; a request for each vertex that has any."""
        if job_id != self._job_id or self._reads % NAMES_EVERY == 0:
            self._names = {
                vertex: wanted_names(self._rest.read_metric_names(job_id, vertex))
                for vertex in self._rest.read_vertices(job_id)
            }
            self._job_id, self._reads = job_id, 0
        self._reads += 1
        values: dict[str, Aggregate] = {}
        for vertex, names in self._names.items():
            found = self._rest.read_metrics(job_id, vertex, names) if names else {}
            if names and not found:
                self._reads = 0  # a name has gone: tasks were started anew
            values |= found
        return figures_of(values)


def wanted_names(names: Iterable[str]) -> list[str]:
    """The names that figures are made of.

    >>> wanted_names(["outbox[9]__Writer.user.fraudlake.rule.far_jump.fired", "busyTime"])
    ['outbox[9]__Writer.user.fraudlake.rule.far_jump.fired']
    """
    return [name for name in names if any(each.fullmatch(name) for each in _PATTERNS.values())]


def figures_of(values: Mapping[str, Aggregate]) -> JobFigures:
    """Figures out of metrics by name."""
    return JobFigures(
        records_read=_total("records_read", values),
        unread_records=_total("unread_records", values),
        bands=_by_label("bands", values),
        alerts=_total("alerts", values),
        late=_total("late", values),
        repeats=_total("repeats", values),
        dead_letters=_total("dead_letters", values),
        faults=_by_label("faults", values),
        rules_fired=_by_label("rules_fired", values),
        failed_committables=_total("failed_committables", values),
        retried_committables=_total("retried_committables", values),
        decide_latency_p50_ms=_largest("decide_latency_p50_ms", values),
        decide_latency_p99_ms=_largest("decide_latency_p99_ms", values),
    )


def _total(figure: str, values: Mapping[str, Aggregate]) -> int | None:
    found = [value.sum for name, value in values.items() if _PATTERNS[figure].fullmatch(name)]
    return round(sum(found)) if found and not math.isnan(sum(found)) else None


def _largest(figure: str, values: Mapping[str, Aggregate]) -> int | None:
    found = [value.max for name, value in values.items() if _PATTERNS[figure].fullmatch(name)]
    known = [value for value in found if not math.isnan(value)]
    return round(max(known)) if known else None


def _by_label(figure: str, values: Mapping[str, Aggregate]) -> dict[str, int]:
    labels = {}
    for name, value in values.items():
        match = _PATTERNS[figure].fullmatch(name)
        if match is not None:
            labels[match[1]] = round(value.sum)
    return dict(sorted(labels.items()))
