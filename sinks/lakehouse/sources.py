"""Which input each row of a table came from: the audit that reconciliation is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

COLUMNS = ("source_topic", "source_partition", "source_offset")


def scan_sources(settings: Settings, table: str) -> Iterator[tuple[str, int, int]]:
    """Topic, partition and offset of every row of ``table``; nothing where there is no table."""
    identifier = (settings.lakehouse.namespace, table)
    with open_catalog(settings, writable=False) as catalog, explained(settings):
        if catalog is None or not catalog.table_exists(identifier):
            return
        scan = catalog.load_table(identifier).scan(selected_fields=COLUMNS)
        for batch in scan.to_arrow_batch_reader():
            columns = [batch.column(name).to_pylist() for name in COLUMNS]
            yield from zip(*columns, strict=True)
