"""The monthly indices: created from the template on the first alert of a month, never by accident.

An index that Elasticsearch would make up by itself, because the template went missing, has a
guessed mapping and no alias: alerts would be written and never found. So it is looked at once, and
again when it was deleted meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from elasticsearch import ApiError, BadRequestError, Elasticsearch, TransportError

from pipelines.errors import SinkError
from sinks.alerts.client import explain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.settings import ElasticsearchSettings

_EXISTS = "resource_already_exists_exception"


class Months:
    """The months this process has seen to be in place."""

    def __init__(self, client: Elasticsearch, settings: ElasticsearchSettings) -> None:
        self._client = client
        self._settings = settings
        self._ready: set[str] = set()

    def prepare(self, indices: Iterable[str]) -> None:
        """See that each index exists, with template and alias; SinkError when it does not."""
        for index in set(indices) - self._ready:
            try:
                self._create(index)
            except (ApiError, TransportError) as error:
                raise explain(error, self._settings) from error
            self._ready.add(index)

    def forget(self, index: str) -> None:
        """Look at the index again before the next write: it was found to be gone."""
        self._ready.discard(index)

    def _create(self, index: str) -> None:
        alias = self._settings.index
        if not self._client.indices.exists_index_template(name=alias):
            msg = (
                f"the index template {alias} is missing, so {index} would get a guessed mapping. "
                "Start the sink again: it puts the template in place"
            )
            raise SinkError(msg)
        # A month that was built anew has this name as an alias.
        if not self._client.indices.exists(index=index):
            try:
                self._client.indices.create(index=index)
            except BadRequestError as error:
                if error.error != _EXISTS:
                    raise
        if not self._client.indices.exists_alias(index=index, name=alias):
            msg = (
                f"the index {index} exists without the alias {alias}: it was not made from the "
                "template. Remove it or copy it elsewhere, then start the sink again"
            )
            raise SinkError(msg)
