"""What runs beside the job: the sinks, and whatever sends transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.front_door import ask
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Sinks:
    """The two sinks, as processes."""

    def run_elsewhere(self) -> bool:
        """Whether something else than the local stack runs them."""
        return Settings.from_env().stack.sinks_external

    def act(
        self, action: str, *words: str, log: Callable[[str], object]
    ) -> Sequence[Mapping[str, Any]]:
        """Start, stop or restart those that are named, else both; what was done to each.

        After its name, ``start`` takes the word that spares what a person has stopped.
        """
        reports: Sequence[Mapping[str, Any]]
        reports = ask("sink", action, *words, "--json", log=log)["sinks"]
        return reports

    def count_rows(self, *, log: Callable[[str], object]) -> Mapping[str, int]:
        """The rows of each table that the lakehouse sink fills; those that exist."""
        from sinks.lakehouse.tables import SINK_TABLES

        filled = {table.name for table in SINK_TABLES}
        tables = ask("lake", "stats", "--json", log=log)["tables"]
        return {
            str(table["table"]): int(table["rows"]) for table in tables if table["table"] in filled
        }


class Traffic:
    """Whatever sends transactions: the generator, or a file that is replayed."""

    def send(self, *words: str, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Run a sending command to its end, or to ours; its summary."""
        return ask(*words, log=log, is_leashed=True)
