"""Settings of the lakehouse that contradict each other, each as one sentence.

Found before anything is opened, so that no password ends up in a place where addresses are shown,
and no table in a folder when S3 was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings.sections import LakehouseSettings

_PREFIX = "FRAUDLAKE_LAKEHOUSE_"
_URI = f"{_PREFIX}CATALOG_URI"
_PASSWORD = f"{_PREFIX}CATALOG_PASSWORD"
_TOKEN = f"{_PREFIX}CATALOG_TOKEN"
_CREDENTIAL = f"{_PREFIX}CATALOG_CREDENTIAL"
_WAREHOUSE = f"{_PREFIX}WAREHOUSE"
_ENDPOINT = f"{_PREFIX}S3_ENDPOINT"

_POSTGRESQL = ("postgresql", "postgresql+psycopg")
_REST = ("http", "https")
_IN_QUERY = {"password", "sslpassword"}


def find_catalog_faults(lakehouse: LakehouseSettings) -> list[str]:
    """Every fault; no sentence repeats an address, which may hold what must not be shown."""
    scheme = lakehouse.catalog_uri.partition(":")[0]
    if scheme not in ("", "sqlite", *_POSTGRESQL, *_REST):
        fault = (
            f"{_URI} must begin with postgresql://, sqlite:/// or https:// (an Iceberg REST "
            "catalog), or be empty: SQLite in the stack's home"
        )
        return [fault]
    return [
        *_faults_of_address(lakehouse.catalog_uri, scheme),
        *_faults_of_access(lakehouse, scheme),
        *_faults_of_warehouse(lakehouse, scheme),
        *_faults_of_store(lakehouse),
    ]


def _faults_of_address(uri: str, scheme: str) -> Iterator[str]:
    if scheme in ("", "sqlite"):
        return
    # By hand, because a password may hold characters that end the part of an address it stands in.
    user, at, _ = uri.partition("://")[2].partition("?")[0].rpartition("@")
    if scheme in _REST and at != "":
        instead = f"give it as {_CREDENTIAL} or {_TOKEN}"
        yield f"{_URI} holds a login, and addresses are shown - {instead}"
    elif ":" in user or not _IN_QUERY.isdisjoint(parse_qs(urlsplit(uri).query)):
        yield f"{_URI} holds a password, and addresses are shown - give it as {_PASSWORD}"
    elif not _is_address(uri, needs_host=scheme in _REST):
        yield f"{_URI} is no address: it must look like {scheme}://host:port/..."


def _faults_of_access(lakehouse: LakehouseSettings, scheme: str) -> Iterator[str]:
    has_token = lakehouse.catalog_token.reveal() != ""
    has_credential = lakehouse.catalog_credential.reveal() != ""
    if lakehouse.catalog_password.reveal() != "" and scheme not in _POSTGRESQL:
        instead = f"a REST catalog takes {_CREDENTIAL} or {_TOKEN}"
        why = instead if scheme in _REST else "SQLite has no users; remove it"
        yield f"{_PASSWORD} is for a PostgreSQL catalog, and {_URI} names none - {why}"
    if has_token and has_credential:
        yield f"{_TOKEN} and {_CREDENTIAL} are both set - a credential gets its own token: keep one"
    oauth2_uri = lakehouse.catalog_oauth2_uri
    for name, is_set in (
        (_TOKEN, has_token),
        (_CREDENTIAL, has_credential),
        (f"{_PREFIX}CATALOG_OAUTH2_URI", oauth2_uri != ""),
        (f"{_PREFIX}CATALOG_SCOPE", lakehouse.catalog_scope != ""),
    ):
        if is_set and scheme not in _REST:
            yield f"{name} is for a REST catalog, and {_URI} names none - set it to https://..."
    if oauth2_uri != "" and not _is_plain_web_address(oauth2_uri):
        yield f"{_PREFIX}CATALOG_OAUTH2_URI must look like https://host/path, without a login"


def _faults_of_warehouse(lakehouse: LakehouseSettings, scheme: str) -> Iterator[str]:
    warehouse = lakehouse.warehouse
    if scheme in _REST:
        return
    if scheme != "" and warehouse == "":
        yield (
            f"{_WAREHOUSE} must be set with a catalog of your own: a folder that all readers see, "
            "or s3://bucket/folder"
        )
    if ":" in warehouse and not warehouse.startswith(("file://", "s3://")):
        yield f"{_WAREHOUSE} must be a folder or s3://bucket/folder"
    has_store = lakehouse.s3_endpoint != "" or lakehouse.s3_access_key_id != ""
    if has_store and not warehouse.startswith("s3://"):
        yield f"S3 is set up, and {_WAREHOUSE} is not there - set it to s3://bucket/folder"


def _faults_of_store(lakehouse: LakehouseSettings) -> Iterator[str]:
    has_secret = lakehouse.s3_secret_access_key.reveal() != ""
    if has_secret != (lakehouse.s3_access_key_id != ""):
        both = f"{_PREFIX}S3_ACCESS_KEY_ID and {_PREFIX}S3_SECRET_ACCESS_KEY"
        yield f"{both} go together - set both, or none to use those of the AWS tools"
    if lakehouse.s3_endpoint != "" and not _is_plain_web_address(lakehouse.s3_endpoint):
        yield f"{_ENDPOINT} must look like https://host:port, without a login"


def _is_plain_web_address(uri: str) -> bool:
    is_web = uri.startswith(("http://", "https://"))
    return is_web and "@" not in uri and _is_address(uri, needs_host=True)


def _is_address(uri: str, *, needs_host: bool) -> bool:
    try:
        parts = urlsplit(uri)
        # Reading the port is what checks it.
        return parts.port != 0 and (parts.hostname is not None or not needs_host)
    except ValueError:
        return False
