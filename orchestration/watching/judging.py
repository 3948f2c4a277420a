"""Judging the running stream by one look at it: pure functions, one for each check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.verdict import Verdict, fail, is_well, unknown, warn
from orchestration.watching.glance import (
    LATE_S,
    TOO_LATE_S,
    BrokerGlance,
    JobNotes,
    Late,
    StreamGlance,
    Trouble,
    count_late,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.flink import Job
    from sinks.lakehouse.heads import TableHead

CHECKPOINT_WARN_S, CHECKPOINT_FAIL_S = 60.0, 300.0
LAG_WARN, LAG_FAIL = 10_000, 200_000
"""Transactions that wait: a few seconds, and a few minutes, of what one machine decides."""
LETTERS_WARN, LETTERS_FAIL = 0.01, 0.10
FEWEST_TRANSACTIONS = 100
"""Below, one bad record would be a bad hour."""
FEWEST_LETTERS = 20
"""From so many on, more than half of the records are a bad hour, however few they are."""
_RECOVERING = frozenset({"RESTARTING", "FAILING", "INITIALIZING", "CREATED", "RECONCILING"})


def judge_running(notes: JobNotes | Trouble, stream: StreamGlance | Trouble) -> Verdict:
    """Does the job run, with all that Flink knows of it?"""
    if isinstance(stream, Trouble):
        return unknown(stream.sentence, severity="ERROR")
    if isinstance(notes, Trouble):
        return unknown(notes.sentence, severity="ERROR")
    job = stream.job
    if job is not None and job.state == "RUNNING":
        restarts = stream.restarts or 0
        again = f", started anew {restarts} times by Flink" if restarts else ""
        return is_well(
            f"job {job.job_id} RUNNING for {_duration(job.duration_ms / 1000)}{again}",
            restarts=restarts,
        )
    return _explain_absence(notes, job)


def judge_checkpoint_age(stream: StreamGlance | Trouble) -> Verdict:
    """Was a checkpoint completed lately? Decisions leave with each."""
    if isinstance(stream, Trouble):
        return unknown(f"nothing is known of it: {stream.sentence}")
    job, found, age = stream.job, stream.checkpoints, stream.checkpoint_age_s
    if job is None or not job.is_active or found is None:
        return warn("there is no running job whose checkpoints could be looked at")
    if age is None:
        age, which = job.duration_ms / 1000, "no checkpoint yet, running for"
    else:
        which = "newest checkpoint"
    figures = {"age_s": round(age, 1), "completed": found.completed, "failed": found.failed}
    if found.latest_bytes is not None:
        figures["bytes"] = found.latest_bytes
    size = "" if found.latest_bytes is None else f", {found.latest_bytes / 1e6:,.1f} MB"
    sentence = f"{which} {_duration(age)}{' old' if found.latest_ms is not None else ''}{size}"
    if age > CHECKPOINT_FAIL_S:
        return fail(f"{sentence}: no decision has left the job since", **figures)
    if age > CHECKPOINT_WARN_S:
        return warn(sentence, **figures)
    return is_well(sentence, **figures)


def judge_lag(broker: BrokerGlance | Trouble) -> Verdict:
    """Do transactions wait to be decided?"""
    if isinstance(broker, Trouble):
        return unknown(f"nothing is known of it: {broker.sentence}")
    sentence = f"{broker.job_lag:,} transactions wait to be decided"
    if broker.job_lag > LAG_FAIL:
        return fail(f"{sentence}, above {LAG_FAIL:,}", records=broker.job_lag)
    if broker.job_lag > LAG_WARN:
        return warn(f"{sentence}, above {LAG_WARN:,}", records=broker.job_lag)
    return is_well(sentence, records=broker.job_lag)


def judge_storing(broker: BrokerGlance | Trouble, lake: Sequence[TableHead] | Trouble) -> Verdict:
    """Does the lakehouse sink keep up?"""
    for one in (broker, lake):
        if isinstance(one, Trouble):
            return unknown(f"nothing is known of it: {one.sentence}")
    assert isinstance(broker, BrokerGlance)
    assert not isinstance(lake, Trouble)
    done = next((head.next_offsets for head in lake if head.table == "decisions"), {})
    found = count_late(broker.decisions_before, done)
    return _judge_late(found, "decisions", "stored", sink="lakehouse-sink")


def judge_showing(broker: BrokerGlance | Trouble) -> Verdict:
    """Does the alert sink keep up?"""
    if isinstance(broker, Trouble):
        return unknown(f"nothing is known of it: {broker.sentence}")
    return _judge_late(broker.alerts_late, "alerts", "shown", sink="alerts-sink")


def _judge_late(found: Late, what: str, done: str, *, sink: str) -> Verdict:
    look = f"is the sink running? `fraudlake status`, `fraudlake logs {sink}`"
    figures = {"late": found.late}
    if found.too_late:
        minutes = TOO_LATE_S // 60
        sentence = f"{found.too_late:,} {what} wait to be {done} for more than {minutes} min"
        return fail(f"{sentence}: {look}", **figures)
    minutes = LATE_S // 60
    sentence = f"{found.late:,} {what} wait to be {done} for more than {minutes} min"
    return warn(f"{sentence}: {look}", **figures) if found.late else is_well(sentence, **figures)


def judge_readable(broker: BrokerGlance | Trouble) -> Verdict:
    """Can what the job wrote be read? Behind an open transaction nobody sees it, nor any lag."""
    if isinstance(broker, Trouble):
        return unknown(f"nothing is known of it: {broker.sentence}")
    hidden = broker.hidden
    figures = {"hidden": hidden.late}
    if not hidden.late:
        return is_well("nothing that the job wrote waits behind an open transaction", **figures)
    judge = fail if hidden.too_late else warn
    minutes = (TOO_LATE_S if hidden.too_late else LATE_S) // 60
    return judge(
        f"{hidden.too_late or hidden.late:,} records of the job stand behind an open transaction "
        f"for more than {minutes} min, where nobody can read them: `kafka-transactions.sh "
        "find-hanging` names it, `abort` ends it",
        **figures,
    )


def judge_dead_letters(broker: BrokerGlance | Trouble) -> Verdict:
    """Which share of the last hour's records was set aside?"""
    if isinstance(broker, Trouble):
        return unknown(f"nothing is known of it: {broker.sentence}")
    letters, transactions = broker.letters_last_hour, broker.transactions_last_hour
    counts = f"{letters:,} dead letters beside {transactions:,} transactions within the last hour"
    if letters >= FEWEST_LETTERS and letters > transactions / 2:
        return fail(f"{counts}: more than half", dead_letters=letters)
    if transactions < FEWEST_TRANSACTIONS:
        return is_well(f"{counts}; too few to judge", dead_letters=letters)
    share = letters / transactions
    figures = {"dead_letters": letters, "share": round(share, 6)}
    if share > LETTERS_FAIL:
        return fail(f"{counts}: {share:.1%}, above {LETTERS_FAIL:.0%}", **figures)
    if share > LETTERS_WARN:
        return warn(f"{counts}: {share:.1%}, above {LETTERS_WARN:.0%}", **figures)
    return is_well(f"{counts}: {share:.2%}", **figures)


def judge_rules(notes: JobNotes | Trouble, stream: StreamGlance | Trouble) -> Verdict:
    """Does the job decide by the rule set in force?"""
    for one in (notes, stream):
        if isinstance(one, Trouble):
            return unknown(f"nothing is known of it: {one.sentence}")
    assert isinstance(notes, JobNotes)
    assert isinstance(stream, StreamGlance)
    if isinstance(notes.published, Trouble):
        return warn(notes.published.sentence)
    if notes.published is None:
        return is_well("no rule set was published; the job runs what it was deployed with")
    if stream.job is None or not stream.job.is_active:
        return warn(f"no job runs; {notes.published} is in force")
    if stream.ruleset != notes.published:
        return warn(
            f"the job decides by {stream.ruleset}, and {notes.published} is in force: materialize "
            "flink/fraud_detection"
        )
    return is_well(f"the job decides by {notes.published}, which is in force")


def _explain_absence(notes: JobNotes, job: Job | None) -> Verdict:
    """Why no job runs, and whether that is wanted."""
    if notes.is_being_changed:
        return warn("a command is submitting or stopping the job at this moment")
    if job is not None and job.state in _RECOVERING:
        return warn(f"job {job.job_id} is {job.state}: Flink itself is bringing it back")
    if notes.is_stopped:
        return warn("the job was stopped by `fraudlake job stop`; `fraudlake job submit` starts it")
    if notes.deployed_id is None:
        return warn("no job was ever deployed from here: materialize flink/fraud_detection")
    if job is None:
        return fail(f"Flink does not know job {notes.deployed_id}, which was deployed last")
    return fail(f"job {job.job_id} is {job.state}, after {_duration(job.duration_ms / 1000)}")


def _duration(seconds: float) -> str:
    """In the unit that says enough.

    >>> _duration(8.4), _duration(125), _duration(3600 * 50)
    ('8 s', '2 min', '50 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
