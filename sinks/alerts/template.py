"""The index template of the alert indices, put in place idempotently.

Every monthly index takes its settings, its mapping and the search alias from here. The template
carries a digest of itself, so that putting it again is seen to be unnecessary.
"""

from __future__ import annotations

import hashlib
import json
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


def apply_template(settings: Settings) -> TemplateChange:
    """Put the template in place, and the alias on every monthly index that lacks it.

    TransientError when Elasticsearch is away, SinkError when it refuses.
    """
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        return put_template(client, settings.elasticsearch)


def put_template(client: Elasticsearch, settings: ElasticsearchSettings) -> TemplateChange:
    """As ``apply_template``, with a client at hand; raises the client's own errors.

    A user who may not change templates gets by while the one in place is this release's.
    """
    wanted = build_template(settings.index)
    stored = read_digest(client, settings.index)
    change: TemplateChange = "unchanged"
    if stored != wanted["_meta"]["digest"]:
        _put(client, settings.index, wanted, is_new=stored is None)
        change = "created" if stored is None else "updated"
    _put_alias(client, settings.index)
    return change


def build_template(index: str) -> dict[str, Any]:
    """The body of the template for the monthly indices behind alias ``index``."""
    content = {
        "index_patterns": name_patterns(index),
        "priority": PRIORITY,
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


def read_digest(client: Elasticsearch, name: str) -> str | None:
    """The digest of the stored template; empty if it has none, None if there is no template."""
    try:
        found = client.indices.get_index_template(name=name)
    except NotFoundError:
        return None
    meta = found["index_templates"][0]["index_template"].get("_meta", {})
    return str(meta.get("digest", ""))


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
