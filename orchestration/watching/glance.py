"""One look at everything: what each system answered, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipelines.flink import Checkpoints, Failure, Job
    from sinks.alerts.glance import IndexGlance
    from sinks.lakehouse.heads import TableHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Instead of an answer: the sentence that says why there is none."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNotes:
    """What is remembered here of the job, without asking anybody."""

    deployed_id: str | None
    """The id of the last deployment; None: none was ever deployed from here."""
    is_stopped: bool
    """A person stopped it: nobody but a person starts it again."""
    is_being_changed: bool
    """A command is submitting or stopping it at this moment."""
    published: str | Trouble | None
    """The version of the rule set in force; None: none was published."""
    revived: Sequence[float] = ()
    """When keeper or watch started it again of late, in seconds since 1970."""
    given_up: str = ""
    """Why no program starts it again; empty: one may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGlance:
    """The job on the cluster."""

    job: Job | None
    """The last deployment if the cluster knows it, else the newest of the name."""
    checkpoints: Checkpoints | None
    restarts: int | None
    ruleset: str | None
    """The version that the job runs, as it says itself."""
    url: str
    failures: Sequence[Failure] = ()
    """The newest of them, the newest first."""

    @property
    def checkpoint_age_s(self) -> float | None:
        """Of the newest completed one, by Flink's own clock."""
        if self.job is None or self.checkpoints is None or self.checkpoints.latest_ms is None:
            return None
        now_ms = self.job.started_ms + self.job.duration_ms
        return max(0, now_ms - self.checkpoints.latest_ms) / 1000


LATE_S, TOO_LATE_S = 300, 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Records that wait for a sink."""

    late: int
    """For more than ``LATE_S``."""
    too_late: int
    """For more than ``TOO_LATE_S``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerGlance:
    """The topics."""

    ends: Mapping[str, Mapping[int, int]]
    """The end of each partition, by the topic's name in ``Topics``."""
    job_lag: int
    """Transactions whose decisions are not committed."""
    alerts_lag: int
    """Alerts that the sink has not written."""
    alerts_late: Late
    """Those of them that have waited for long."""
    decisions_before: tuple[Mapping[int, int], Mapping[int, int]]
    """The end of each partition of the decisions, ``LATE_S`` and ``TOO_LATE_S`` ago."""
    hidden: Late
    """What the job wrote and nobody can read, because a transaction before it is open."""
    letters_last_hour: int
    """At least so many."""
    transactions_last_hour: int

    def total(self, topic: str) -> int:
        """The offsets of a topic, summed."""
        return sum(self.ends[topic].values())


def count_late(
    before: tuple[Mapping[int, int], Mapping[int, int]], done: Mapping[int, int]
) -> Late:
    """What a sink that has ``done`` up to these offsets has left of what was there before.

    ``done`` stands at a record or at the end, never at a mark of Kafka's own transactions: there
    is no allowance for those, in which a few records could wait for ever.
    """
    late, too_late = (
        sum(max(0, end - done.get(part, 0)) for part, end in ends.items()) for ends in before
    )
    return Late(late=late, too_late=too_late)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Everything at one moment."""

    at: datetime
    notes: JobNotes | Trouble
    stream: StreamGlance | Trouble
    broker: BrokerGlance | Trouble
    index: IndexGlance | Trouble
    lake: Sequence[TableHead] | Trouble

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why the others did not answer, without what to do about it."""
        published = None if isinstance(self.notes, Trouble) else self.notes.published
        found = (self.notes, published, self.stream, self.broker, self.index, self.lake)
        return tuple(one.sentence.split(". ")[0] for one in found if isinstance(one, Trouble))
