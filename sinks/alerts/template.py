"""The index template of the alert indices, put in place idempotently.

Every monthly index takes its settings, its mapping and the search alias from here. It is made by
the sink, for the first alert of its month, and never by Elasticsearch for a write to a name that is
gone: an edit of a case whose month has just been deleted would leave an empty month. The template
carries a digest of itself, so that putting it again is seen to be unnecessary.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from elasticsearch import AuthorizationException, Elasticsearch, NotFoundError

from pipelines.errors import SinkError
from sinks.alerts.client import connect, translate_errors
from sinks.alerts.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from pipelines.settings import ElasticsearchSettings, Settings

PRIORITY = 500
"""Above the templates that Elasticsearch ships with."""

TemplateChange = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTemplate:
    """What the template in place says of itself."""

    digest: str
    """Empty if it has none."""
    schema_version: int
    """0 if it has none."""

    @property
    def is_newer(self) -> bool:
        """Whether a later release than this one put it there."""
        return self.schema_version > SCHEMA_VERSION


def apply_template(settings: Settings) -> TemplateChange:
    """Put the template in place, and the alias on every monthly index that lacks it.

    TransientError when Elasticsearch is away, SinkError when it refuses, or when a later release
    has put its template there: that is never exchanged for an older one.
    """
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        return put_template(client, settings.elasticsearch)


def put_template(client: Elasticsearch, settings: ElasticsearchSettings) -> TemplateChange:
    """As ``apply_template``, with a client at hand; raises the client's own errors.

    A user who may not change templates gets by while the one in place is this release's.
    """
    wanted = build_template(settings.index)
    stored = read_stored(client, settings.index)
    refuse_newer(stored, settings.index)
    change: TemplateChange = "unchanged"
    if stored is None or stored.digest != wanted["_meta"]["digest"]:
        _put(client, settings.index, wanted, is_new=stored is None)
        change = "created" if stored is None else "updated"
    _put_alias(client, settings.index)
    return change


def build_template(index: str) -> dict[str, Any]:
    """The body of the template for the monthly indices behind alias ``index``."""
    content = {
        "index_patterns": name_patterns(index),
        "priority": PRIORITY,
        "allow_auto_create": False,
        "template": {**read_parts(), "aliases": {index: {}}},
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    meta = {"managed_by": "fraudlake", "schema_version": SCHEMA_VERSION, "digest": digest}
    return {**content, "_meta": meta}


def read_parts() -> dict[str, Any]:
    """Settings and mappings, as the file of this release has them."""
    text = resources.files(__package__).joinpath("index_template.json").read_text()
    parts: dict[str, Any] = json.loads(text)
    return parts


def read_stored(client: Elasticsearch, name: str) -> StoredTemplate | None:
    """What the template in place says of itself; None if there is no template."""
    try:
        found = client.indices.get_index_template(name=name)
    except NotFoundError:
        return None
    meta = found["index_templates"][0]["index_template"].get("_meta", {})
    return StoredTemplate(
        digest=str(meta.get("digest", "")), schema_version=int(meta.get("schema_version", 0))
    )


def refuse_newer(stored: StoredTemplate | None, name: str) -> None:
    """SinkError when a later release put the template there."""
    if stored is None or not stored.is_newer:
        return
    msg = (
        f"the index template {name} has schema version {stored.schema_version}, this release has "
        f"{SCHEMA_VERSION}: a later release put it there, and nothing is changed back. "
        "Run that release. To go back for good, delete the template "
        f"(`DELETE /_index_template/{name}`) and start again; `fraudlake alerts diff` then names "
        "what is left of it"
    )
    raise SinkError(msg)


def name_patterns(index: str) -> list[str]:
    """Patterns of the months from 1900 to 2999, so that another index ``<index>-eu`` stays free.

    >>> name_patterns("fraud-alerts")
    ['fraud-alerts-19*.*', 'fraud-alerts-2*.*']
    """
    return [f"{index}-19*.*", f"{index}-2*.*"]


def _put(client: Elasticsearch, name: str, wanted: dict[str, Any], *, is_new: bool) -> None:
    try:
        client.indices.put_index_template(name=name, body=wanted)
    except AuthorizationException as error:
        fault = "is missing" if is_new else "is not the one of this release"
        msg = (
            f"the index template {name} {fault}, and this user may not put it in place. Run "
            "`fraudlake alerts apply` as a user with the role fraudlake_admin, then start again"
        )
        raise SinkError(msg) from error


def _put_alias(client: Elasticsearch, index: str) -> None:
    months = client.indices.get_alias(index=",".join(name_patterns(index)), allow_no_indices=True)
    for name, found in months.items():
        if index not in found["aliases"]:
            client.indices.put_alias(index=name, name=index)
