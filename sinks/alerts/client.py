"""The Elasticsearch client with our settings, and its errors as our sentences.

The client itself never retries: who calls it knows what a retry means.
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from elastic_transport import JsonSerializer, OrjsonSerializer, TlsError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    Elasticsearch,
    NotFoundError,
    TransportError,
)

from pipelines.errors import FraudlakeError, SettingsError, SinkError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import ElasticsearchSettings

REQUEST_SECONDS = 30.0
BUSY = frozenset({429, 502, 503, 504})
"""Statuses that mean: later."""
BLOCKED = "cluster_block_exception"
"""The index, or the cluster, is closed to writing: by us for a moment, by an operator, by a disk
that is nearly full."""
CLOSED = "index_closed_exception"
"""Somebody closed the index (``_close``): it is neither read nor written until it is opened."""


def connect(
    settings: ElasticsearchSettings,
    *,
    request_seconds: float = REQUEST_SECONDS,
    exact: bool = False,
) -> Elasticsearch:
    """A client for the index; connects when first used. SettingsError when it cannot be made.

    ``exact``: whole numbers of any size stay what they are, at the price of speed.
    """
    if settings.ca_certificate != "":
        _check_authority(settings.ca_certificate)
    has_user = settings.username != ""
    return Elasticsearch(
        settings.url,
        basic_auth=(settings.username, settings.password.reveal()) if has_user else None,
        api_key=settings.api_key.reveal() or None,
        ca_certs=settings.ca_certificate or DEFAULT,
        serializer=JsonSerializer() if exact else OrjsonSerializer(),
        request_timeout=request_seconds,
        max_retries=0,
        retry_on_timeout=False,
    )


@contextmanager
def translate_errors(
    settings: ElasticsearchSettings, *, passing: type[ApiError] | tuple[type[ApiError], ...] = ()
) -> Iterator[None]:
    """Errors of the client, raised inside, leave as TransientError or SinkError.

    Those of kind ``passing`` leave as they are: the caller knows what they mean.
    """
    try:
        yield
    except (ApiError, TransportError) as error:
        if isinstance(error, passing):
            raise
        raise explain(error, settings) from error


def explain(error: ApiError | TransportError, settings: ElasticsearchSettings) -> FraudlakeError:
    """What an error of the client means for us, in a sentence that says what to do."""
    where = f"Elasticsearch at {settings.url}"
    if isinstance(error, TlsError) and (refusal := _explain_refusal(error, where)) is not None:
        return refusal
    if isinstance(error, TransportError):
        return TransientError(
            f"{where} does not answer: {error.message.rpartition('): ')[2]}. "
            "Start the local one with `fraudlake up`, or set FRAUDLAKE_ELASTICSEARCH_URL "
            "(https:// if it speaks TLS)"
        )
    return _explain_status(error, where=where, index=settings.index)


def _check_authority(path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        msg = (
            f"FRAUDLAKE_ELASTICSEARCH_CA_CERTIFICATE={path}: {error.strerror or error}. It must "
            "name a file with the authority's certificate in PEM"
        )
        raise SettingsError(msg) from error


def _explain_refusal(error: TlsError, where: str) -> SinkError | None:
    """A connection that we refuse, and will next time; None if it only broke off."""
    detail = error.message
    if "mismatch" in detail:
        return SinkError(
            f"{where} offers a certificate that is made out to another host: {detail}. Put a host "
            "that the certificate names into FRAUDLAKE_ELASTICSEARCH_URL"
        )
    if "certificate verify failed" in detail:
        return SinkError(
            f"{where} offers a certificate that is not trusted: {detail}. "
            "Name its authority in FRAUDLAKE_ELASTICSEARCH_CA_CERTIFICATE"
        )
    # As OpenSSL says it up to 3.1, and since.
    if "WRONG_VERSION_NUMBER" in detail or "RECORD_LAYER_FAILURE" in detail:
        return SinkError(
            f"{where} does not speak TLS: {detail}. Switch it on there, or let "
            "FRAUDLAKE_ELASTICSEARCH_URL begin with http://"
        )
    return None


def _explain_status(error: ApiError, *, where: str, index: str) -> FraudlakeError:
    reason = f"{error.status_code} {_read_reason(error)}"
    if error.error in {BLOCKED, CLOSED}:
        what = "closed to writing" if error.error == BLOCKED else "closed, in one of its months,"
        return TransientError(
            f"{where} has {index} {what} ({reason}). If that lasts: `fraudlake alerts diff` "
            "names the month and what opens it; if it names none, the whole cluster is closed "
            "(cluster.blocks in `GET /_cluster/settings`)"
        )
    if isinstance(error, AuthenticationException):
        return SinkError(
            f"{where} does not know us ({reason}). Check FRAUDLAKE_ELASTICSEARCH_USERNAME and "
            "FRAUDLAKE_ELASTICSEARCH_PASSWORD, or FRAUDLAKE_ELASTICSEARCH_API_KEY"
        )
    if isinstance(error, AuthorizationException):
        return SinkError(
            f"{where} forbids this ({reason}). The roles for {index} are in "
            "deploy/elasticsearch/roles.yml; give the user the one it needs"
        )
    if isinstance(error, NotFoundError):
        return SinkError(f"{where} has no such thing ({reason}); is {index} the index?")
    if error.status_code in BUSY:
        return TransientError(f"{where} is busy ({reason}); try again")
    return SinkError(f"{where} refuses the request ({reason})")


def _read_reason(error: ApiError) -> str:
    """The server's own sentence, if it has one: for a right that is missing it names the right."""
    fault = error.body.get("error") if isinstance(error.body, dict) else None
    return str(fault["reason"]) if isinstance(fault, dict) and "reason" in fault else error.message
