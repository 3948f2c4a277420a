"""One look at everything: what each system answered, or why it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipelines.flink import Checkpoints, Job
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
    published: str | None
    """The version of the rule set in force."""


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

    @property
    def checkpoint_age_s(self) -> float | None:
        """Of the newest completed one, by Flink's own clock."""
        if self.job is None or self.checkpoints is None or self.checkpoints.latest_ms is None:
            return None
        now_ms = self.job.started_ms + self.job.duration_ms
        return max(0, now_ms - self.checkpoints.latest_ms) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerGlance:
    """The topics."""

    ends: Mapping[str, Mapping[int, int]]
    """The end of each partition, by the topic's name in ``Topics``."""
    job_lag: int
    """Transactions whose decisions are not committed."""
    alerts_lag: int
    """Alerts that the sink has not written."""
    letters_last_hour: int
    transactions_last_hour: int

    def total(self, topic: str) -> int:
        """The offsets of a topic, summed."""
        return sum(self.ends[topic].values())


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
        found = (self.notes, self.stream, self.broker, self.index, self.lake)
        return tuple(one.sentence.split(". ")[0] for one in found if isinstance(one, Trouble))
