"""The Flink job as something that is deployed: submitted, found again, stopped with its state.

The job itself is planned and submitted by ``flink_jobs`` in Flink's own environment, as a child
process. Its id is chosen here and written down first (``pipelines.job_memory``), so that even a job
whose submitter died is found again, and the next submission goes on from its state.
"""

from __future__ import annotations

import dataclasses
import logging
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.job.build import build_of
from fraudlake.job.kept_parts import is_kept, keep_kernel, keep_statement
from fraudlake.job.lake_tables import bring_up_tables
from fraudlake.job.priming import end_left_over, prime
from fraudlake.job.rule_records import keep_rules, record_rules
from fraudlake.job.saved_state import checkpoint_uri, named_state, newest_state
from fraudlake.job.submission import JOB, run_submission, write_sql
from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.kernel import build_kernel
from pipelines.errors import FraudlakeError, JobError
from pipelines.features import load_features
from pipelines.flink import FlinkRest, Job
from pipelines.fx import load_fx
from pipelines.job_memory import (
    NO_ATTEMPTS,
    Attempts,
    Remembered,
    hold_job,
    remember,
    remembered,
    statement_file,
)
from pipelines.kafka import create_topics, read_transaction_limit_s
from pipelines.rules import load_ruleset, shipped_rulesets

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings

_LOG = logging.getLogger(__name__)
RUNNING_SECONDS = 60.0
SAVEPOINT_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A job that was handed to the cluster and runs."""

    job_id: str
    state: str
    ruleset: str
    url: str
    savepoint: str | None
    """The state it went on from; None where it knows at most what was read first."""


def _silent(text: str) -> None:
    """Nobody wants to hear of the steps."""


def _log(text: str) -> None:
    """What was left undone is told in any case."""
    _LOG.warning("event=left_undone what=%r", text)


def submit_job(
    settings: Settings,
    *,
    ruleset: str | None = None,
    is_fresh: bool = False,
    savepoint: str | None = None,
    say: Callable[[str], None] = _silent,
    warn: Callable[[str], None] = _log,
) -> Deployment:
    """Start the job and wait until all its tasks run.

    It goes on from its newest savepoint or checkpoint, or from ``savepoint``, unless ``is_fresh``;
    under the rule set that was deployed last, unless one is named. Without a state, what it
    knows beside its transactions is read first (``fraudlake.job.priming``). A faulty rule file is
    refused before anything starts; a job of the same name that already runs is left alone, and is
    an error. The rule set is recorded once the job runs. ``say`` hears of the steps, ``warn`` of
    what was left undone.
    """
    if ruleset is not None:
        load_ruleset(ruleset, load_features())
    with hold_job(settings):
        running = FlinkRest(settings.flink.rest_url).active_job(settings.flink.job_name)
        if running is not None:
            msg = (
                f"job {settings.flink.job_name} is {running.state} already ({running.job_id}). "
                "Stop it first: `fraudlake job stop`"
            )
            raise JobError(msg)
        deployment = submit_held(
            settings, ruleset=ruleset, is_fresh=is_fresh, savepoint=savepoint, say=say, warn=warn
        )
    record_rules(settings, say=say, warn=warn)
    return deployment


def submit_if_missing(
    settings: Settings,
    *,
    ruleset: str | None = None,
    say: Callable[[str], None] = _silent,
    warn: Callable[[str], None] = _log,
) -> Deployment | None:
    """Start the job as ``submit_job`` does; None if Flink works on one of its name already."""
    with hold_job(settings):
        running = FlinkRest(settings.flink.rest_url).active_job(settings.flink.job_name)
        deployment = None
        if running is None:
            deployment = submit_held(settings, ruleset=ruleset, say=say, warn=warn)
    record_rules(settings, say=say, warn=warn)
    return deployment


def submit_held(
    settings: Settings,
    *,
    ruleset: str | None = None,
    is_fresh: bool = False,
    savepoint: str | None = None,
    are_tables_ready: bool = False,
    replaces: Remembered | None = None,
    attempts: Attempts = NO_ATTEMPTS,
    say: Callable[[str], None] = _silent,
    warn: Callable[[str], None] = _log,
) -> Deployment:
    """``submit_job`` for who holds the job already and has seen that none runs.

    ``replaces``: the deployment that ``restore_held`` takes, if this one is lost before its first
    checkpoint.
    """
    name = choose_ruleset(settings, ruleset)
    load_ruleset(name, load_features())
    origin = None
    if not is_fresh:
        origin = newest_state(settings) if savepoint is None else named_state(savepoint)
    check_transactions(settings)
    create_topics(settings.kafka, settings.kafka.topics().all())
    if not are_tables_ready:
        bring_up_tables(settings, ruleset=name, say=say, warn=warn)
    keep_rules(settings, name)
    kernel = build_kernel(find_flink(settings.flink.python))
    draft = Remembered(
        job_id=uuid.uuid4().hex,
        ruleset="",
        ruleset_name=name,
        origin=origin,
        build=build_of(settings, write_sql(settings, name), kernel),
        kernel=str(kernel),
        parallelism=settings.flink.parallelism,
        state_backend=settings.flink.state_backend,
        checkpoint_interval_ms=settings.flink.checkpoint_interval_ms,
        base_currency=load_fx().base,
        replaces=replaces,
        **asdict(attempts),
    )
    return _hand_over(settings, draft, ["--ruleset", name], say)


def restore_job(
    settings: Settings, *, start: Callable[[Settings], Deployment] | None = None
) -> Deployment | None:
    """Start the last deployment again, as it was; None if Flink works on one of its name.

    JobError if none was ever deployed, or if a person stopped it: then a person starts it. A
    program that asks hands in a ``start`` of its own (``fraudlake.job.revival``).
    """
    with hold_job(settings):
        known = remembered(settings)
        name = settings.flink.job_name
        if known is None:
            msg = f"no job {name} was ever deployed here. Deploy it with `fraudlake job deploy`"
            raise JobError(msg)
        if FlinkRest(settings.flink.rest_url).active_job(name) is not None:
            return None
        if known.is_stopped:
            msg = (
                f"job {name} was stopped by `fraudlake job stop`, so it stays stopped. Start it "
                "with `fraudlake job submit`"
            )
            raise JobError(msg)
        return restore_held(settings) if start is None else start(settings)


def restore_held(settings: Settings, *, attempts: Attempts = NO_ATTEMPTS) -> Deployment:
    """The last deployment once more, from the newest state it has left, for who holds the job.

    As it was submitted: a rule file edited since, or one that was taken back, waits for a deploy.
    One that was lost before its first checkpoint has shown nothing: the job whose place it took
    comes back. Planned anew only where the statement or the kernel of then are gone. ``attempts``
    are remembered of it: a program's, this one included.
    """
    known = remembered(settings)
    if known is None:
        return submit_held(settings, attempts=attempts)
    state = newest_state(settings)
    if known.replaces is not None and state == known.origin:
        end_untried(settings, FlinkRest(settings.flink.rest_url))
        known = known.replaces
    if not is_kept(settings, known):
        return submit_held(settings, attempts=attempts)
    return submit_again(settings, known, savepoint=state, attempts=attempts)


def end_untried(settings: Settings, rest: FlinkRest) -> None:
    """End whatever there is of a job that does not come to its first checkpoint."""
    failed = rest.active_job(settings.flink.job_name)
    if failed is None:
        return
    known = remembered(settings)
    if known is not None:
        # If we die meanwhile, no person has cancelled it.
        remember(settings, dataclasses.replace(known, is_making_way=True))
    rest.cancel(failed.job_id)
    rest.await_end(failed.job_id, wait_seconds=RUNNING_SECONDS)


def submit_again(
    settings: Settings,
    known: Remembered,
    *,
    savepoint: str | None,
    attempts: Attempts = NO_ATTEMPTS,
) -> Deployment:
    """Submit what ``known`` was: statement, kernel and settings, whatever has changed since."""
    flink = dataclasses.replace(
        settings.flink,
        parallelism=known.parallelism,
        state_backend=known.state_backend,
        checkpoint_interval_ms=known.checkpoint_interval_ms,
    )
    draft = dataclasses.replace(
        known,
        job_id=uuid.uuid4().hex,
        origin=savepoint,
        savepoint=None,
        has_run=False,
        is_stopped=False,
        is_making_way=False,
        replaces=None,
        **asdict(attempts),
    )
    # Before the new id is remembered: if the submission fails, the next one finds it, too.
    statement = keep_statement(settings, draft.job_id, of=known.job_id)
    own = dataclasses.replace(settings, flink=flink)
    return _hand_over(own, draft, ["--statement", str(statement)])


def _hand_over(
    settings: Settings,
    draft: Remembered,
    words: list[str],
    say: Callable[[str], None] = _silent,
) -> Deployment:
    """Submit the job that ``draft`` describes, and wait until all its tasks run."""
    end_left_over(settings)
    draft = dataclasses.replace(
        draft,
        kernel=str(keep_kernel(settings, draft.job_id, Path(draft.kernel))),
        superseded=_superseded(remembered(settings)),
    )
    remember(settings, draft)
    known = draft.origin
    if known is None:
        draft = prime(settings, draft, words, say)
    words = [*words, "--job-id", draft.job_id, "--build", draft.build]
    kept = statement_file(settings, draft.job_id)
    if not kept.is_file():
        words += ["--save", str(kept)]
    answer = run_submission(
        settings,
        JOB,
        words,
        savepoint=draft.origin,
        kernel=Path(draft.kernel),
    )
    planned = dataclasses.replace(draft, job_id=answer["job_id"], ruleset=answer["ruleset"])
    remember(settings, planned)
    rest = FlinkRest(settings.flink.rest_url)
    job = rest.await_job(
        planned.job_id,
        lambda found: found.state == "RUNNING" and rest.are_tasks_running(planned.job_id),
        wait_seconds=RUNNING_SECONDS,
    )
    remember(settings, dataclasses.replace(planned, has_run=True))
    return Deployment(
        job_id=planned.job_id,
        state=job.state,
        ruleset=planned.ruleset,
        url=settings.flink.page_of(planned.job_id),
        savepoint=known,
    )


def _superseded(before: Remembered | None) -> dict[str, str | None]:
    """The record of what was deployed, with the last deployment at its end."""
    return {} if before is None else {**before.superseded, before.job_id: before.savepoint}


def check_transactions(settings: Settings) -> None:
    """JobError if the broker would refuse the sinks' transactions, once the job runs."""
    wanted, limit = settings.kafka.transaction_timeout_s, read_transaction_limit_s(settings.kafka)
    if wanted > limit:
        msg = (
            f"the broker keeps a transaction open for {limit} s at most "
            f"(transaction.max.timeout.ms), the settings ask for {wanted} s. Set "
            f"FRAUDLAKE_KAFKA_TRANSACTION_TIMEOUT_S={limit}, or raise the broker's limit"
        )
        raise JobError(msg)


def choose_ruleset(settings: Settings, named: str | None) -> str:
    """The rule set named, else the one deployed last, else the setting's.

    A file becomes its full path: the next submission may come from another folder.
    """
    known = remembered(settings)
    last = settings.flink.ruleset if known is None else known.ruleset_name
    name = named or last or settings.flink.ruleset
    return name if name in shipped_rulesets() else str(Path(name).absolute())


def stop_job(settings: Settings) -> str:
    """Stop the running job with a savepoint, whose path is returned and remembered.

    Nobody but a person starts it again. One that could not make its savepoint goes on.
    """
    with hold_job(settings):
        rest = FlinkRest(settings.flink.rest_url)
        return stop_held(settings, rest, _require_job(rest, settings))


def stop_held(
    settings: Settings, rest: FlinkRest, running: Job, *, is_making_way: bool = False
) -> str:
    """``stop_job`` for who holds the job already.

    ``is_making_way``: another is to take its place, and nobody wants this one to stay stopped. If
    we die before that runs, it is found lost and comes back (``restore_held``); only where what it
    was made of is not kept a person must choose.
    """
    known = remembered(settings)
    if known is None or known.job_id != running.job_id:
        known = Remembered(job_id=running.job_id, ruleset="", has_run=True)
    comes_back = is_making_way and is_kept(settings, known)
    ending = dataclasses.replace(known, is_stopped=not comes_back, is_making_way=comes_back)
    # Before the savepoint: if we die while it is made, it is found on disk.
    remember(settings, ending)
    try:
        savepoint = rest.stop(
            running.job_id, folder=checkpoint_uri(settings), wait_seconds=SAVEPOINT_SECONDS
        )
    except FraudlakeError as error:
        # It goes on, or ends by itself after all: then Flink says FINISHED, and that stands for a
        # person's stop; one that makes way is lost then.
        if isinstance(error, JobError) or not comes_back:
            remember(settings, known)
        raise
    remember(settings, dataclasses.replace(ending, savepoint=savepoint))
    return savepoint


def _require_job(rest: FlinkRest, settings: Settings) -> Job:
    running = rest.active_job(settings.flink.job_name)
    if running is None:
        msg = f"no job {settings.flink.job_name} runs. Start it with `fraudlake job submit`"
        raise JobError(msg)
    return running
