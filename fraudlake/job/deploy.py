"""Putting a changed job in place of the running one, on the same state, and back if it fails."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fraudlake.job.build import build_of
from fraudlake.job.kept_parts import is_kept
from fraudlake.job.lake_tables import bring_up_tables
from fraudlake.job.launch import RUNNING_SECONDS, Deployment
from fraudlake.job.old_states import clear_old_states
from fraudlake.job.restore import end_untried, submit_again
from fraudlake.job.rule_records import keep_rules, record_rules
from fraudlake.job.saved_state import newest_state
from fraudlake.job.start import check_transactions, choose_ruleset, submit_held
from fraudlake.job.state_check import refuse_other_state
from fraudlake.job.stop import stop_held
from fraudlake.job.submission import JOB, run_submission, write_sql
from fraudlake.job.switch_report import SwitchReport, mark_progress, report_switch
from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.kernel import build_kernel
from orchestration.code_version import job_code_version
from pipelines.errors import FraudlakeError, JobError
from pipelines.features import load_features
from pipelines.flink import FlinkRest
from pipelines.fx import load_fx
from pipelines.job_memory import Remembered, hold_job, remember, remembered
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.flink import Job
    from pipelines.settings import Settings

POLL_SECONDS = 0.3
STOPPING_SECONDS = 10.0
Outcome = Literal["unchanged", "started", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What ``fraudlake job deploy`` has done."""

    outcome: Outcome
    job_id: str
    ruleset: str
    build: str
    savepoint: str | None
    """The state that the new job went on from."""
    switch: SwitchReport | None
    """How the change went; None where nothing was replaced."""


def deploy_job(settings: Settings, *, ruleset: str | None, say: Callable[[str], None]) -> Deployed:
    """Make the job what the rule set, the code and the settings say; nothing if it is that already.

    What cannot run is refused while the old job runs on. A new job that does not come to its first
    checkpoint is taken back: the old one goes on from the savepoint at which it was stopped, and
    JobError says why. So is a change that is interrupted or meets a fault of our own, which is then
    raised; where we are killed, the keeper takes it back. The rule set is recorded once the job
    runs, and where it runs already.
    """
    with hold_job(settings):
        deployed = _deploy_held(settings, ruleset, say)
    record_rules(settings, say=say, warn=say)
    return deployed


def _deploy_held(settings: Settings, ruleset: str | None, say: Callable[[str], None]) -> Deployed:
    name = choose_ruleset(settings, ruleset)
    load_ruleset(name, load_features())
    kernel = build_kernel(find_flink(settings.flink.python))
    build = build_of(settings, write_sql(settings, name), kernel)
    rest = FlinkRest(settings.flink.rest_url)
    running = rest.active_job(settings.flink.job_name)
    known = remembered(settings)
    if running is None:
        say("no job runs: starting it")
        return _deployed("started", submit_held(settings, ruleset=name, say=say, warn=say), build)
    if known is not None and (known.job_id, known.build) == (running.job_id, build):
        # One that an older release deployed did not keep them.
        keep_rules(settings, name)
        remember(settings, dataclasses.replace(known, code=job_code_version()))
        return Deployed(
            outcome="unchanged",
            job_id=known.job_id,
            ruleset=known.ruleset,
            build=build,
            savepoint=None,
            switch=None,
        )
    if known is not None and known.job_id == running.job_id:
        if not is_kept(settings, known):
            say(
                "what the running job was made of is not kept: it could not be taken back, and "
                "without its kernel nothing tells whether the new one reads its state"
            )
        refuse_other_state(known, kernel, base_currency=load_fx().base)
    say("Flink compiles the new job, while the old one runs on")
    run_submission(settings, JOB, ["--ruleset", name, "--check"])
    check_transactions(settings)
    bring_up_tables(settings, ruleset=name, say=say, warn=say)
    return _replace(settings, rest, running, name=name, build=build, say=say)


def _replace(
    settings: Settings,
    rest: FlinkRest,
    running: Job,
    *,
    name: str,
    build: str,
    say: Callable[[str], None],
) -> Deployed:
    known = remembered(settings)
    mark = mark_progress(settings)
    savepoint = _stop(settings, rest, running, known, say)
    try:
        say(f"starting the new one from {savepoint}")
        # No decision is made meanwhile: a lake that is away is not waited for once more.
        deployment = submit_held(
            settings, ruleset=name, are_tables_ready=True, replaces=_before(settings, known)
        )
        _await_checkpoint(rest, deployment.job_id)
        _note_proof(settings)
    except BaseException as error:  # be it Ctrl-C: no decision is made until a job runs
        say("the new job does not run: taking it back")
        again = _tell_return(_roll_back(settings, rest, known, savepoint, cause=error))
        if not isinstance(error, FraudlakeError):
            say(again)
            raise
        msg = f"the new job did not come to its first checkpoint: {error}. {again}"
        raise JobError(msg) from error
    _clear_up(settings, rest, say)
    say("looking for its decisions")
    switch = report_switch(settings, mark, ruleset=deployment.ruleset)
    return _deployed("replaced", deployment, build, switch)


def _deployed(
    outcome: Outcome, deployment: Deployment, build: str, switch: SwitchReport | None = None
) -> Deployed:
    return Deployed(
        outcome=outcome,
        job_id=deployment.job_id,
        ruleset=deployment.ruleset,
        build=build,
        savepoint=deployment.savepoint,
        switch=switch,
    )


def _stop(
    settings: Settings,
    rest: FlinkRest,
    running: Job,
    known: Remembered | None,
    say: Callable[[str], None],
) -> str:
    """Stop the old job, and start it again if we are interrupted meanwhile.

    Flink makes the savepoint all the same, and ends the job behind it; unless it had not heard of
    it yet. One that is slow to end is left to the keeper.
    """
    try:
        say("stopping the old job with a savepoint")
        return stop_held(settings, rest, running, is_making_way=True)
    except FraudlakeError:
        raise  # it goes on; or nothing is known of it, and the keeper looks after it
    except BaseException as error:
        say("waiting whether the old job stops, to start it again")
        rest.await_end(running.job_id, wait_seconds=STOPPING_SECONDS)
        if rest.active_job(settings.flink.job_name) is None:
            say(_tell_return(_roll_back(settings, rest, known, None, cause=error)))
        else:
            say("the old job goes on. Should it stop after all, the keeper starts it again")
        raise


def _tell_return(old: Deployment) -> str:
    return f"The old one runs again, from its savepoint, as {old.job_id} ({old.ruleset})"


def _before(settings: Settings, known: Remembered | None) -> Remembered | None:
    """What comes back if we are killed before the new job has shown that it can run."""
    if known is None or not is_kept(settings, known):
        return None
    return dataclasses.replace(known, superseded={}, replaces=None)


def _note_proof(settings: Settings) -> None:
    """From here on it is the new job that comes back."""
    known = remembered(settings)
    if known is not None:
        remember(settings, dataclasses.replace(known, replaces=None))


def _await_checkpoint(rest: FlinkRest, job_id: str) -> None:
    """Until then nothing of the new job is committed, so that the old one can still go on."""
    deadline = time.monotonic() + RUNNING_SECONDS
    while rest.checkpoints(job_id).completed == 0:
        if time.monotonic() > deadline:
            cause = rest.root_cause(job_id) or "no failure is recorded"
            msg = f"no checkpoint within {RUNNING_SECONDS:.0f} s: {cause}"
            raise JobError(msg)
        time.sleep(POLL_SECONDS)


def _roll_back(
    settings: Settings,
    rest: FlinkRest,
    known: Remembered | None,
    savepoint: str | None,
    *,
    cause: BaseException,
) -> Deployment:
    """End whatever there is of the new job, and submit the old one as it was."""
    end_untried(settings, rest)
    # A checkpoint after we gave up has committed: the savepoint would decide that again.
    savepoint = newest_state(settings) or savepoint
    if known is None or not is_kept(settings, known):
        why = str(cause) or type(cause).__name__
        msg = (
            f"the new job failed ({why}), and what the old one was made of is not kept. "
            f"Submit it with `fraudlake job submit --ruleset NAME --savepoint {savepoint}`"
        )
        raise JobError(msg) from cause
    return submit_again(settings, known, savepoint=savepoint)


def _clear_up(settings: Settings, rest: FlinkRest, say: Callable[[str], None]) -> None:
    """The change is done by now: old files that stay must not make it a failure."""
    try:
        working = [job.job_id for job in rest.jobs(settings.flink.job_name) if job.is_active]
        deleted = clear_old_states(settings, working=working)
    except (FraudlakeError, OSError) as error:
        say(f"old checkpoints and savepoints were left as they are: {error}")
        return
    if deleted:
        say(f"deleted what jobs replaced long ago had saved: {len(deleted)} folders")
