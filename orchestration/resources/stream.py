"""The Flink job, as Dagster asks for it and acts on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from orchestration.front_door import ask
from pipelines.features import load_features
from pipelines.flink import FlinkRest
from pipelines.job_memory import remembered
from pipelines.published_rules import published_file, read_published
from pipelines.rules import read_ruleset
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.features import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """The job as it is, with nothing done about it."""

    job_id: str
    ruleset: str
    """Empty: it is not known how the job was made."""
    state: Literal["runs", "is stopped", "has ended"]
    code: str
    """The code version of the release that it is of; empty: not known."""


class Stream:
    """The Flink job."""

    def page_of(self, job_id: str) -> str:
        """The job's page in Flink's own console."""
        return Settings.from_env().flink.page_of(job_id)

    def find(self) -> FoundJob | None:
        """The job that runs, or was deployed here last; None: none ever ran."""
        settings = Settings.from_env()
        rest = FlinkRest(settings.flink.rest_url)
        active = rest.active_job(settings.flink.job_name)
        # Read after Flink is asked: a job is remembered before it is submitted.
        known = remembered(settings)
        # One that has shown nothing yet may give its place back to the one before.
        code = "" if known is None or known.replaces is not None else known.code
        if active is not None:
            # The job says it itself: what is remembered here is written down a moment later.
            ruleset = rest.parameters(active.job_id).get("ruleset", "")
            is_ours = known is not None and known.job_id == active.job_id
            return FoundJob(
                job_id=active.job_id, ruleset=ruleset, state="runs", code=code if is_ours else ""
            )
        # A first deployment that failed is remembered, too.
        if known is None or not (known.has_run or known.is_stopped or known.superseded):
            return None
        state: Literal["is stopped", "has ended"] = (
            "is stopped" if known.is_stopped else "has ended"
        )
        return FoundJob(job_id=known.job_id, ruleset=known.ruleset, state=state, code=code)

    def deploy(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Make the job what the rules in force, code and settings say; what that did.

        Where no rule set was published, the one that was deployed last stays. An answer that tells
        of lost or doubled records is an answer, too.
        """
        settings = Settings.from_env()
        known = read_published(settings)
        named = () if known is None else ("--ruleset", str(published_file(settings, known)))
        return ask("job", "deploy", *named, "--json", log=log, may_find_fault=True)

    def restore(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Start the last deployment again as it was, unless it runs or was given up."""
        return ask("job", "restore", "--unattended", "--json", log=log)

    def start(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Start the job where it was stopped, unless it runs."""
        return ask("job", "submit", "--if-missing", "--json", log=log)

    def stop(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Stop the job with a savepoint; it stays stopped until somebody starts it."""
        return ask("job", "stop", "--json", log=log)

    def stages(self) -> Sequence[Stage]:
        """What a job of the rules in force computes; nothing where none were published."""
        settings = Settings.from_env()
        known = read_published(settings)
        if known is None:
            return ()
        features = load_features()
        ruleset = read_ruleset(published_file(settings, known), features)
        return features.select(ruleset.columns)
