"""Which state a table had at a moment, as far as that is still known.

Expiry takes snapshots out of the middle of a history, too, and a tag of somebody may keep a very
old one: so the newest kept snapshot before a moment need not be the state of that moment. It is

- if the moment is a full hour of which it carries the tag, which upkeep sets before it lets others
  go (``upkeep/hours.py``);
- if the moment is that of its commit;
- if the next one that main had and that is kept was made from it: then nothing was between them;
- if it carries the tag of a full hour after the moment;
- if it is the newest one.

Otherwise the state is not known, and nobody guesses. Main's log of itself may be short: some
catalogs cut it off at the last gap, so that only the tags still say what was before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.table.metadata import TableMetadataV1
from pyiceberg.table.snapshots import ancestors_of

from pipelines.errors import SinkError

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot, SnapshotLogEntry

TAG_PREFIX = "fraudlake-hour-"
_TAG_FORMAT = f"{TAG_PREFIX}%Y-%m-%dT%HZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_state(table: Table, moment: datetime) -> Snapshot | None:
    """The snapshot that main showed at ``moment``; None: the table had no rows yet.

    SinkError if that is not known any more; it names the nearest moments that are.
    """
    moment_ms = to_ms(moment)
    tagged = tagged_hours(table).get(_EPOCH + timedelta(milliseconds=moment_ms))
    if tagged is not None:
        return table.snapshot_by_id(tagged)
    log = _kept_log(table)
    at = _last_until(log, moment_ms)
    if at is None:
        if not log or _is_first(table, log[0]):
            return None
    elif _is_known(table, log, at, moment_ms):
        return _snapshot(table, log[at])
    raise _not_kept(table, log, moment_ms)


def tag_of(hour: datetime) -> str:
    """The name of the tag on the state at a full hour."""
    return hour.astimezone(UTC).strftime(_TAG_FORMAT)


def tagged_hours(table: Table) -> dict[datetime, int]:
    """The full hours of which the state is tagged, with the id of its snapshot."""
    return {
        datetime.strptime(name, _TAG_FORMAT).replace(tzinfo=UTC): ref.snapshot_id
        for name, ref in table.metadata.refs.items()
        if name.startswith(TAG_PREFIX)
    }


def to_ms(moment: datetime) -> int:
    """As Iceberg counts time."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _kept_log(table: Table) -> list[SnapshotLogEntry]:
    return [one for one in table.history() if table.snapshot_by_id(one.snapshot_id) is not None]


def _last_until(log: list[SnapshotLogEntry], moment_ms: int) -> int | None:
    return next((at for at in reversed(range(len(log))) if log[at].timestamp_ms <= moment_ms), None)


def _is_first(table: Table, entry: SnapshotLogEntry) -> bool:
    """True if the table never had a snapshot before."""
    return _number(_snapshot(table, entry)) == 1


def _is_known(table: Table, log: list[SnapshotLogEntry], at: int, moment_ms: int) -> bool:
    if at == len(log) - 1 or log[at].timestamp_ms == moment_ms:
        return True
    return _is_succeeded(table, log, at) or _tagged_until(table, log, at) >= moment_ms


def _is_succeeded(table: Table, log: list[SnapshotLogEntry], at: int) -> bool:
    """True if nothing is missing between the entry and the next one."""
    this, following = _snapshot(table, log[at]), _snapshot(table, log[at + 1])
    if any(one.snapshot_id == this.snapshot_id for one in ancestors_of(following, table.metadata)):
        return True
    # Main was set back to an older one; what was made right after this one must still be there.
    is_rollback = _number(following) < _number(this)
    made_next = _number(this) + 1
    return is_rollback and (
        made_next > _last_number(table)
        or any(_number(one) == made_next for one in table.snapshots())
    )


def _number(snapshot: Snapshot) -> int:
    """Snapshots in the order in which they were made: their clocks may differ."""
    return snapshot.sequence_number or 0


def _last_number(table: Table) -> int:
    metadata = table.metadata
    return 0 if isinstance(metadata, TableMetadataV1) else metadata.last_sequence_number


def _tagged_until(table: Table, log: list[SnapshotLogEntry], at: int) -> int:
    """The last full hour of which the entry is tagged as the state."""
    hours = (
        to_ms(hour)
        for hour, snapshot_id in tagged_hours(table).items()
        if snapshot_id == log[at].snapshot_id and _last_until(log, to_ms(hour)) == at
    )
    return max(hours, default=log[at].timestamp_ms)


def _not_kept(table: Table, log: list[SnapshotLogEntry], moment_ms: int) -> SinkError:
    known = {one.timestamp_ms for one in log} | {to_ms(hour) for hour in tagged_hours(table)}
    before = max((one for one in known if one <= moment_ms), default=None)
    after = min((one for one in known if one > moment_ms), default=None)
    near = [_show(one) for one in (before, after) if one is not None]
    name = table.name()[-1]
    msg = (
        f"{name} is not kept as it was at {_show(moment_ms)}. The nearest times that are: "
        f"{' and '.join(near)} (all of them: meta.snapshots; FRAUDLAKE_LAKEHOUSE_KEEP_SNAPSHOTS_H "
        "says for how long full hours are kept)"
    )
    return SinkError(msg)


def _snapshot(table: Table, entry: SnapshotLogEntry) -> Snapshot:
    snapshot = table.snapshot_by_id(entry.snapshot_id)
    assert snapshot is not None  # it is one of the kept log
    return snapshot


def _show(moment_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=moment_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
