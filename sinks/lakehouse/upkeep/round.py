"""Upkeep of the tables, one at a time: what was before, what was done, what is now."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pipelines.errors import NoTablesError, SinkError, TransientError
from pipelines.file_lock import hold_file
from sinks.lakehouse.catalog import FOLDER, find_catalog
from sinks.lakehouse.tables import TABLES
from sinks.lakehouse.upkeep.compaction import plan_compaction, rewrite_files
from sinks.lakehouse.upkeep.expiry import expire_snapshots, plan_expiry
from sinks.lakehouse.upkeep.figures import TableFigures, read_figures
from sinks.lakehouse.upkeep.sweep import sweep_strays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyiceberg.table import Table

    from pipelines.settings import LakehouseSettings, Settings

LOCK_FILE = "upkeep.lock"
MB = 1_000_000
Task = Literal["compact", "expire", "sweep"]


@dataclass(slots=True, kw_only=True)
class UpkeepReport:
    """One run of upkeep; it is filled as the run goes on."""

    tasks: tuple[Task, ...]
    dry_run: bool
    before: list[TableFigures] = field(default_factory=list)
    after: list[TableFigures] = field(default_factory=list)
    partitions_rewritten: int = 0
    partitions_refused: int = 0
    """Changed by somebody else meanwhile: left for the next run."""
    snapshots_expired: int = 0
    files_deleted: int = 0
    strays_deleted: int = 0
    stray_bytes: int = 0


def keep_up(
    settings: Settings,
    tasks: Sequence[Task],
    *,
    tables: Sequence[str],
    dry_run: bool,
    say: Callable[[str], None],
) -> UpkeepReport:
    """Do ``tasks`` on ``tables`` (none named: all), telling ``say`` of each step.

    NoTablesError if there are none, SinkError if a table cannot be kept up here; TransientError if
    an upkeep of this stack is under way, or if catalog or warehouse cannot be used.
    """
    report = UpkeepReport(tasks=tuple(tasks), dry_run=dry_run)
    with _hold(settings), open_tables(settings, tables) as opened:
        report.before = [_figures(table, settings) for table in opened]
        for table in opened:
            for task in tasks:
                _TASKS[task](table, settings.lakehouse, report, say)
        report.after = [_figures(table.refresh(), settings) for table in opened]
    return report


def read_all_figures(settings: Settings, tables: Sequence[str]) -> list[TableFigures]:
    """How the tables are; nothing is changed, and no upkeep need end first."""
    with open_tables(settings, tables) as opened:
        return [_figures(table, settings) for table in opened]


@contextmanager
def open_tables(settings: Settings, names: Sequence[str]) -> Iterator[list[Table]]:
    """The named tables, or all; SinkError if there is none of that name, NoTablesError if none."""
    namespace = settings.lakehouse.namespace
    with find_catalog(settings) as catalog:
        known = [
            table.name
            for table in TABLES
            if catalog is not None and catalog.table_exists((namespace, table.name))
        ]
        if catalog is None or not known:
            msg = (
                f"there are no tables in namespace {namespace} yet. `fraudlake lake apply` makes "
                "them; so does the lakehouse sink"
            )
            raise NoTablesError(msg)
        for name in names:
            if name not in known:
                msg = f"there is no table {name} in namespace {namespace}; there are: " + ", ".join(
                    known
                )
                raise SinkError(msg)
        chosen = [name for name in known if not names or name in names]
        yield [catalog.load_table((namespace, name)) for name in chosen]


@contextmanager
def _hold(settings: Settings) -> Iterator[None]:
    """The tables themselves would bear two at once; twice the work would be for nothing."""

    def refuse() -> TransientError:
        msg = (
            "an upkeep of this lakehouse is under way: wait for its end "
            f"({settings.stack.home / FOLDER / LOCK_FILE} is held)"
        )
        return TransientError(msg)

    with hold_file(settings.stack.home / FOLDER / LOCK_FILE, wait_seconds=0, refuse=refuse):
        yield


def _figures(table: Table, settings: Settings) -> TableFigures:
    return read_figures(table, target_bytes=settings.lakehouse.target_file_mb * MB)


def _compact(
    table: Table,
    settings: LakehouseSettings,
    report: UpkeepReport,
    say: Callable[[str], None],
) -> None:
    target = settings.target_file_mb * MB
    closed = datetime.now(UTC) - timedelta(hours=settings.closed_after_h)
    name = table.name()[-1]
    for rewrite in plan_compaction(table, target_bytes=target, closed_before=closed):
        files = len(rewrite.tasks)
        what = f"{name} {rewrite.name}: {files:,} files, {rewrite.bytes / MB:,.1f} MB"
        if report.dry_run:
            say(f"{what} would be written anew")
            report.partitions_rewritten += 1
            continue
        done = rewrite_files(table, rewrite, target_bytes=target)
        if done.is_refused:
            report.partitions_refused += 1
            say(f"{what}: somebody changed them meanwhile; left for the next time")
        else:
            report.partitions_rewritten += 1
            say(f"{what} → {done.files:,}, {done.bytes / MB:,.1f} MB ({done.seconds:.1f} s)")


def _expire(
    table: Table,
    settings: LakehouseSettings,
    report: UpkeepReport,
    say: Callable[[str], None],
) -> None:
    work = plan_expiry if report.dry_run else expire_snapshots
    done = work(table, keep=settings.keep_snapshots, keep_hours=settings.keep_snapshots_h)
    files = done.data_files + done.metadata_files
    report.snapshots_expired += done.snapshots
    report.files_deleted += files
    verb = "would expire" if report.dry_run else "expired"
    say(f"{table.name()[-1]}: {done.snapshots:,} snapshots {verb}, with {files:,} files")


def _sweep(
    table: Table,
    settings: LakehouseSettings,
    report: UpkeepReport,
    say: Callable[[str], None],
) -> None:
    age = timedelta(hours=settings.sweep_after_h)
    done = sweep_strays(table, older_than=age, dry_run=report.dry_run)
    report.strays_deleted += len(done.stray)
    report.stray_bytes += done.stray_bytes
    verb = "would be swept" if report.dry_run else "swept"
    say(
        f"{table.name()[-1]}: {len(done.stray):,} stray files {verb}, "
        f"{done.stray_bytes / MB:,.1f} MB; {done.young:,} are younger than "
        f"{settings.sweep_after_h} h; {done.files:,} files, {done.bytes / MB:,.1f} MB in all"
    )


_TASKS = {"compact": _compact, "expire": _expire, "sweep": _sweep}
