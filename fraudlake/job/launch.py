"""One job handed to Flink, and awaited until all its tasks run.

The job itself is planned and submitted by ``flink_jobs`` in Flink's own environment, as a child
process. Its id is chosen before and written down first (``pipelines.job_memory``), so that even a
job whose submitter died is found again, and the next submission goes on from its state.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.job.kept_parts import keep_kernel
from fraudlake.job.priming import end_left_over, prime
from fraudlake.job.submission import JOB, run_submission
from pipelines.flink import FlinkRest
from pipelines.job_memory import Remembered, remember, remembered, statement_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings

RUNNING_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A job that was handed to the cluster and runs."""

    job_id: str
    state: str
    ruleset: str
    url: str
    savepoint: str | None
    """The state it went on from; None where it knows at most what was read first."""


def silent(text: str) -> None:
    """Nobody wants to hear of the steps."""


def launch_job(
    settings: Settings,
    draft: Remembered,
    words: list[str],
    say: Callable[[str], None] = silent,
) -> Deployment:
    """Submit the job that ``draft`` describes, and wait until all its tasks run.

    ``words`` say to its program what it is made of: a rule set, or a statement that was kept.
    """
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
