"""Starting the job under a rule set, from the newest state that it has left."""

from __future__ import annotations

import logging
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.job.build import build_of
from fraudlake.job.lake_tables import bring_up_tables
from fraudlake.job.launch import launch_job, silent
from fraudlake.job.rule_records import keep_rules, record_rules
from fraudlake.job.saved_state import named_state, newest_state
from fraudlake.job.submission import write_sql
from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.kernel import build_kernel
from orchestration.code_version import job_code_version
from pipelines.errors import JobError
from pipelines.features import load_features
from pipelines.flink import FlinkRest
from pipelines.fx import load_fx
from pipelines.job_memory import NO_ATTEMPTS, Attempts, Remembered, hold_job, remembered
from pipelines.kafka import create_topics, read_transaction_limit_s
from pipelines.rules import load_ruleset, shipped_rulesets

if TYPE_CHECKING:
    from collections.abc import Callable

    from fraudlake.job.launch import Deployment
    from pipelines.settings import Settings

_LOG = logging.getLogger(__name__)


def _log(text: str) -> None:
    """What was left undone is told in any case."""
    _LOG.warning("event=left_undone what=%r", text)


def submit_job(
    settings: Settings,
    *,
    ruleset: str | None = None,
    is_fresh: bool = False,
    savepoint: str | None = None,
    say: Callable[[str], None] = silent,
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
    say: Callable[[str], None] = silent,
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
    say: Callable[[str], None] = silent,
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
        code=job_code_version(),
        kernel=str(kernel),
        parallelism=settings.flink.parallelism,
        state_backend=settings.flink.state_backend,
        checkpoint_interval_ms=settings.flink.checkpoint_interval_ms,
        base_currency=load_fx().base,
        replaces=replaces,
        **asdict(attempts),
    )
    return launch_job(settings, draft, ["--ruleset", name], say)


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
