"""Settings of the alert index that contradict each other, each as one sentence.

Found before anything is opened, so that no password ends up in an address, which is shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings.sections import ElasticsearchSettings

_PREFIX = "FRAUDLAKE_ELASTICSEARCH_"
_URL = f"{_PREFIX}URL"
_USERNAME = f"{_PREFIX}USERNAME"
_PASSWORD = f"{_PREFIX}PASSWORD"
_API_KEY = f"{_PREFIX}API_KEY"
_CA_CERTIFICATE = f"{_PREFIX}CA_CERTIFICATE"
_INDEX = f"{_PREFIX}INDEX"
_LONGEST_INDEX = 200
"""Elasticsearch takes 255 bytes; a month built anew, and what marks it, need some of them."""


def find_elasticsearch_faults(elasticsearch: ElasticsearchSettings) -> list[str]:
    """Every fault; no sentence repeats an address, which may hold what must not be shown."""
    return [
        *_faults_of_address(elasticsearch),
        *_faults_of_access(elasticsearch),
        *_faults_of_index(elasticsearch.index),
    ]


def _faults_of_address(elasticsearch: ElasticsearchSettings) -> Iterator[str]:
    url = elasticsearch.url
    if "@" in url:
        instead = f"give it as {_USERNAME} and {_PASSWORD}, or as {_API_KEY}"
        yield f"{_URL} holds a login, and addresses are shown - {instead}"
    elif not _is_address(url):
        yield f"{_URL} is no address: it must look like https://host:9200, with the port"
    if elasticsearch.ca_certificate != "" and not url.startswith("https://"):
        yield f"{_CA_CERTIFICATE} is for TLS, and {_URL} has none - let it begin with https://"


def _faults_of_access(elasticsearch: ElasticsearchSettings) -> Iterator[str]:
    has_user = elasticsearch.username != ""
    if has_user and elasticsearch.api_key.reveal() != "":
        yield f"{_API_KEY} and {_USERNAME} are both set - keep one of them"
    if has_user != (elasticsearch.password.reveal() != ""):
        yield f"{_USERNAME} and {_PASSWORD} go together - set both, or none"


def _faults_of_index(index: str) -> Iterator[str]:
    # It names one alias, and stands in the names of months, of a template and of patterns.
    if len(index) > _LONGEST_INDEX or re.fullmatch(r"[a-z0-9][a-z0-9._-]*", index) is None:
        yield (
            f"{_INDEX}={index!r} is no name of an index: it must begin with a small letter or a "
            "digit and consist of those, '.', '_' and '-' "
            f"({_LONGEST_INDEX} at most), such as fraud-alerts"
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        has_port = parts.port is not None and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname is not None and has_port
