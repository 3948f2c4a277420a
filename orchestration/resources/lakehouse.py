"""The tables of the lakehouse, and what became of an hour of transactions."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pipelines.errors import NoTablesError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sinks.lakehouse.upkeep.round import Task, UpkeepReport
    from sinks.lakehouse.watch.behaviour import Behaviour
    from sinks.lakehouse.watch.columns import ColumnDifference
    from sinks.lakehouse.watch.doubles import Doubles
    from sinks.reconciliation.hour import HourEvidence


class Tables:
    """The tables of the lakehouse: to be kept fast and small, and to be looked at.

    Each verb answers None where there are no tables yet.
    """

    def keep_up(
        self, task: Task, *, only_look: bool, log: Callable[[str], None]
    ) -> UpkeepReport | None:
        """Do one task of upkeep on every table, or only say what it would do.

        TransientError if an upkeep is under way.
        """
        from sinks.lakehouse.upkeep.round import keep_up

        settings = Settings.from_env()
        with suppress(NoTablesError):
            return keep_up(settings, (task,), tables=(), dry_run=only_look, say=log)
        return None

    def read_behaviour(self, now: datetime) -> Behaviour | None:
        """How the stream decided in the last day, and in the week before."""
        from sinks.lakehouse.watch.behaviour import read_behaviour

        with suppress(NoTablesError):
            return read_behaviour(Settings.from_env(), now=now)
        return None

    def find_doubles(self, since: datetime) -> Doubles | None:
        """Transactions that were stored twice since a moment."""
        from sinks.lakehouse.watch.doubles import find_doubles

        with suppress(NoTablesError):
            return find_doubles(Settings.from_env(), since=since)
        return None

    def find_differences(self) -> list[ColumnDifference] | None:
        """Columns that are not as this release writes them."""
        from sinks.lakehouse.watch.columns import find_differences

        return find_differences(Settings.from_env())


class Audit:
    """Reads what became of one hour of transactions, in topics, tables and index."""

    def gather_hour(self, begin: datetime, *, log: Callable[[str], object]) -> HourEvidence:
        """Of the hour that begins then."""
        from sinks.reconciliation.hour_evidence import gather_hour

        return gather_hour(Settings.from_env(), begin, partial(_tell, log))


def _tell(log: Callable[[str], object], what: str, count: int) -> None:
    log(f"{what}: {count:,} read")
