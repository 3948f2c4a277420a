"""Looking at the job again and again: what is new, and what the cluster says while it is away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from fraudlake.job.facts import read_facts
from fraudlake.job.table import Look, render_job
from pipelines.errors import JobError, TransientError
from pipelines.job_figures import FigureReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.flink import FlinkRest
    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look gave: the newest facts there are, and the trouble of this look, if any."""

    look: Look | None
    before: Look | None
    trouble: str | None
    trouble_seconds: float

    def as_json(self) -> dict[str, object]:
        """For a machine to read; ``trouble`` stands beside facts that are no longer fresh."""
        facts: dict[str, object] = {"state": "absent"}
        if self.look is not None:
            facts = self.look.facts.as_json()
        return facts if self.trouble is None else {**facts, "trouble": self.trouble}

    def render(self) -> RenderableType:
        """For people to read."""
        parts: list[RenderableType] = []
        if self.look is not None:
            parts.append(render_job(self.look, self.before))
        if self.trouble is not None:
            since = f" ({self.trouble_seconds:.0f} s)" if self.look is not None else ""
            parts.append(Text(f"{self.trouble}{since}", style="red"))
        return Group(*parts)


class JobWatch:
    """Remembers the last look, for the rates and for the time when nobody answers."""

    def __init__(self, settings: Settings, rest: FlinkRest, *, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._rest = rest
        self._reader = FigureReader(rest)
        self._clock = clock
        self._look: Look | None = None
        self._before: Look | None = None

    def look(self) -> Seen:
        """Look once. Never raises for a cluster or a job that is away: the next look may find it.

        Rates are between the two newest looks at one job.
        """
        trouble: str | None = None
        try:
            facts = read_facts(self._settings, self._rest, self._reader, with_lag=False)
        except (TransientError, JobError) as error:
            trouble = f"no answer, looking again: {error}"
        else:
            if facts is None:
                trouble = f"no job {self._settings.flink.job_name} yet, looking again"
            else:
                is_same = self._look is not None and self._look.facts.job.job_id == facts.job.job_id
                self._before = self._look if is_same else None
                self._look = Look(facts=facts, at_s=self._clock())
        newest = self._look
        return Seen(
            look=newest,
            before=self._before if trouble is None else None,
            trouble=trouble,
            trouble_seconds=0.0 if newest is None else self._clock() - newest.at_s,
        )
