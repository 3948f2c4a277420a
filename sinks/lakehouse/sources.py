"""Which input each row of a table came from: the audit that reconciliation is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.expressions import AlwaysTrue

from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.settings import Settings

COLUMNS = ("source_topic", "source_partition", "source_offset")


def scan_sources(
    settings: Settings, table: str, *, within: Mapping[int, range] | None = None
) -> Iterator[tuple[str, int, int]]:
    """Topic, partition and offset of every row of ``table``; nothing where there is no table.

    With ``within`` only of those offsets of each partition, and only files that may hold them are
    read.
    """
    identifier = (settings.lakehouse.namespace, table)
    wanted = None if within is None else [one for one in within.items() if len(one[1]) > 0]
    if wanted == []:
        return
    with find_catalog(settings) as catalog, explained(settings):
        if catalog is None or not catalog.table_exists(identifier):
            return
        rows = AlwaysTrue() if wanted is None else _within(wanted)
        scan = catalog.load_table(identifier).scan(row_filter=rows, selected_fields=COLUMNS)
        for batch in scan.to_arrow_batch_reader():
            columns = [batch.column(name).to_pylist() for name in COLUMNS]
            yield from zip(*columns, strict=True)


def _within(stretch: list[tuple[int, range]]) -> str:
    """The rows whose source lies in the stretch, as a filter of pyiceberg's."""
    return " or ".join(
        f"(source_partition = {partition} and source_offset >= {held.start} "
        f"and source_offset < {held.stop})"
        for partition, held in stretch
    )
