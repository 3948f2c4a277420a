"""Reading what the job knows beside its transactions, before a job that has no state decides any.

1. A priming job of another name is submitted: the same statement, with no transaction let in and no
   source of transactions that the real one would go on from (``flink_jobs.priming``).
2. It runs until it has saved that it has read each side input as far as that went before step 1.
3. It is stopped with a savepoint, and the real job begins with that.

A submitter that dies in between has decided nothing: the next submission ends what it left, and
begins anew. Records of a side input that break their contract are then dead letters once more, as
with each start from no state.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.job.saved_state import checkpoint_uri
from fraudlake.job.submission import JOB, read_side_inputs, run_submission
from pipelines.errors import FraudlakeError, JobError, TransientError
from pipelines.flink import ENDED_STATES, FlinkRest
from pipelines.job_memory import Remembered, remember
from pipelines.kafka import read_group_offsets, read_offsets
from sinks.reconciliation.topic import place_of, read_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message

    from pipelines.settings import KafkaSettings, Settings

STALL_SECONDS = 60.0
SAVEPOINT_SECONDS = 120.0
END_SECONDS = 60.0
POLL_SECONDS = 0.2
TAIL_RECORDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SideInput:
    """A topic that must be read first, and how far."""

    name: str
    topic: str
    starts: dict[int, int]
    wanted: dict[int, int]
    """The offset behind the newest record of each partition; one without records is absent."""

    @property
    def records(self) -> int:
        """How many there are, those that compaction took included."""
        return sum(offset - self.starts[part] for part, offset in self.wanted.items())

    def count_read(self, read: dict[int, int]) -> int:
        """How many of them lie before the offsets that a group has come to."""
        return sum(
            max(0, min(read.get(part, 0), offset) - self.starts[part])
            for part, offset in self.wanted.items()
        )


def prime(
    settings: Settings, draft: Remembered, words: Sequence[str], say: Callable[[str], None]
) -> Remembered:
    """The deployment with its side inputs read: it goes on from a savepoint that has them.

    ``draft`` itself where the statement has none, or where they are empty. For who holds the job.
    """
    inputs = find_side_inputs(settings, words, say)
    if not inputs:
        return draft
    what = " and ".join(f"{one.records:,} {one.name}" for one in inputs)
    say(f"reading {what} first")
    began, job_id = time.monotonic(), uuid.uuid4().hex
    # On the record before the cluster hears of it, so that what it leaves is cleared away one day.
    remember(settings, _with_priming(draft, job_id, None))
    savepoint = _run(settings, draft, words, inputs, job_id)
    primed = dataclasses.replace(_with_priming(draft, job_id, savepoint), origin=savepoint)
    remember(settings, primed)
    say(f"read {what}, in {time.monotonic() - began:.1f} s")
    return primed


def find_side_inputs(
    settings: Settings, words: Sequence[str], say: Callable[[str], None]
) -> list[SideInput]:
    """The side inputs of the statement that hold any record now."""
    found = []
    for name in read_side_inputs(settings, words):
        topic = getattr(settings.kafka.topics(), name).name
        starts = {part: held.start for part, held in read_offsets(settings.kafka, topic).items()}
        wanted = read_newest(settings.kafka, topic)
        if wanted:
            found.append(SideInput(name=name, topic=topic, starts=starts, wanted=wanted))
        else:
            say(f"no {name} yet, so none to read first")
    return found


def read_newest(kafka: KafkaSettings, topic: str) -> dict[int, int]:
    """Of each partition the offset behind its newest committed record; absent without a record.

    Not the partition's end: behind the newest record there may be the commit of its transaction, or
    offsets whose records are gone, and no reader ever reports to have read those.
    """
    held = {part: one for part, one in read_offsets(kafka, topic).items() if one.start < one.end}
    newest: dict[int, int] = {}

    def note(message: Message) -> None:
        partition, offset = place_of(message)
        newest[partition] = max(newest.get(partition, 0), offset + 1)

    reach = TAIL_RECORDS
    while held:
        tails = {
            part: range(max(one.start, one.end - reach), one.end) for part, one in held.items()
        }
        read_topic(kafka, topic, tails, on_record=note)
        held = {
            part: one
            for part, one in held.items()
            if part not in newest and tails[part].start > one.start
        }
        reach *= 10
    return newest


def end_left_over(settings: Settings) -> None:
    """End priming jobs whose submitter died, for who holds the job; JobError if one stays.

    It would write under the same transactional ids as the job itself.
    """
    rest = FlinkRest(settings.flink.rest_url)
    left = [job for job in rest.jobs(_name(settings)) if job.state not in ENDED_STATES]
    for job in left:
        if job.is_active:
            rest.cancel(job.job_id)
        rest.await_end(job.job_id, wait_seconds=END_SECONDS)
    if left and any(job.state not in ENDED_STATES for job in rest.jobs(_name(settings))):
        msg = (
            f"job {_name(settings)} does not end within {END_SECONDS:.0f} s. "
            f"Cancel it on {settings.flink.rest_url}, and submit again"
        )
        raise JobError(msg)


def _run(
    settings: Settings,
    draft: Remembered,
    words: Sequence[str],
    inputs: Sequence[SideInput],
    job_id: str,
) -> str:
    """The savepoint of a job that has read the side inputs, and has ended."""
    rest = FlinkRest(settings.flink.rest_url)
    # A group of its own: the offsets of another one would tell of what an earlier job has read.
    group = f"{settings.kafka.topic_prefix}{_name(settings)}-{job_id[:8]}"
    named = ["--priming", group, "--name", _name(settings), "--job-id", job_id]
    try:
        # 1. hand over
        run_submission(
            settings, JOB, [*words, *named, "--build", draft.build], kernel=Path(draft.kernel)
        )
        # 2. wait
        _await_read(settings, rest, group, inputs, job_id)
        # 3. stop
        savepoint = rest.stop(
            job_id, folder=checkpoint_uri(settings), wait_seconds=SAVEPOINT_SECONDS
        )
        rest.await_end(job_id, wait_seconds=END_SECONDS)
    except BaseException:
        with contextlib.suppress(FraudlakeError):
            end_left_over(settings)
        raise
    return savepoint


def _await_read(
    settings: Settings,
    rest: FlinkRest,
    group: str,
    inputs: Sequence[SideInput],
    job_id: str,
) -> None:
    """Return when checkpoints have committed all that is wanted; JobError if that stands still."""
    total, before = sum(one.records for one in inputs), -1
    deadline = time.monotonic() + STALL_SECONDS
    while (done := _count_read(settings, group, inputs, before)) < total:
        if done > before:
            before, deadline = done, time.monotonic() + STALL_SECONDS
        if time.monotonic() > deadline or not _is_active(rest, settings, job_id):
            names = " and ".join(one.name for one in inputs)
            msg = (
                f"reading {names} first came to {max(before, 0):,} of {total:,} records: "
                f"{_cause(rest, job_id)}. No transaction was decided; submit again"
            )
            raise JobError(msg)
        time.sleep(POLL_SECONDS)


def _count_read(settings: Settings, group: str, inputs: Sequence[SideInput], before: int) -> int:
    """As many as the group has committed; ``before`` where the broker is away for a moment."""
    try:
        return sum(
            one.count_read(read_group_offsets(settings.kafka, group, one.topic)) for one in inputs
        )
    except TransientError:
        return before


def _is_active(rest: FlinkRest, settings: Settings, job_id: str) -> bool:
    """Whether the cluster works on it, or does not answer just now."""
    try:
        return any(job.is_active and job.job_id == job_id for job in rest.jobs(_name(settings)))
    except TransientError:
        return True


def _cause(rest: FlinkRest, job_id: str) -> str:
    try:
        return rest.root_cause(job_id) or "no failure is recorded"
    except FraudlakeError:
        return "Flink has lost the job that read them"


def _with_priming(draft: Remembered, job_id: str, savepoint: str | None) -> Remembered:
    """Before the others: the job that was deployed last stays the one that was replaced once."""
    return dataclasses.replace(draft, superseded={job_id: savepoint, **draft.superseded})


def _name(settings: Settings) -> str:
    """How Flink lists the priming job: never taken for the job itself."""
    return f"{settings.flink.job_name}-priming"
