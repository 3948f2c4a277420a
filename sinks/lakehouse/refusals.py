"""What a catalog or a store says when it says no, or nothing: one sentence, and what to do.

Three families of errors come from below: SQLAlchemy's from a SQL catalog, pyiceberg's and requests'
from a REST catalog, and OSErrors from files, where a message of pyarrow's is all that tells a store
that is away from one that refuses. None is passed on with a secret in it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pyiceberg.exceptions import (
    AuthorizationExpiredError,
    CommitStateUnknownException,
    ForbiddenError,
    OAuthError,
    RESTError,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)
from requests import RequestException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from pipelines.errors import FraudlakeError, SinkError, TransientError
from pipelines.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import LakehouseSettings, Settings

_PREFIX = "FRAUDLAKE_LAKEHOUSE_"
_LONGEST = 300
# What PostgreSQL and SQLite say when only a person can help; there is no code to go by.
_REFUSED_BY_SQL = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r"|(role|database) \".*\" does not exist"
    r"|file is not a database|unable to open database file|readonly database"
)
# What S3 says when only a person can help. To a question without a body it answers with the bare
# status, which is all that Arrow then has.
_REFUSED_BY_S3 = re.compile(
    r"AWS Error (NO_SUCH_BUCKET|ACCESS_DENIED|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH"
    r"|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT)|HTTP status (401|403)"
)
_BUSY = (
    AuthorizationExpiredError,
    CommitStateUnknownException,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
_LOGIN_REFUSED = (ForbiddenError, OAuthError, UnauthorizedError)


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Within the block, errors of catalog and store become ours.

    TransientError where waiting may help, SinkError where somebody has to change something.
    """
    lakehouse = settings.lakehouse
    try:
        yield
    except SQLAlchemyError as error:
        raise _explain_sql(error, lakehouse) from error
    except (RESTError, ValidationError, RequestException) as error:
        raise _explain_rest(error, lakehouse) from error
    except OSError as error:
        raise _explain_files(error, lakehouse) from error


def first_line(text: str) -> str:
    """As much of an error's text as helps; SQLAlchemy's goes on with a statement and a link."""
    line = next((line for line in text.splitlines() if line.strip() != ""), "no reason given")
    return line.strip().rstrip(".")[:_LONGEST]


def _explain_sql(error: SQLAlchemyError, lakehouse: LakehouseSettings) -> FraudlakeError:
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = _shorten(str(said), lakehouse)
    if "database is locked" in text:
        msg = "the Iceberg catalog's SQLite file is locked by another process; trying again helps"
        return TransientError(msg)
    if lakehouse.catalog_uri == "":
        to_check = "FRAUDLAKE_STACK_HOME"
    elif lakehouse.catalog_uri.startswith("sqlite"):
        to_check = f"{_PREFIX}CATALOG_URI"
    else:
        to_check = f"{_PREFIX}CATALOG_URI and {_PREFIX}CATALOG_PASSWORD"
    if _REFUSED_BY_SQL.search(str(said)):
        return SinkError(f"the Iceberg catalog refuses: {text}. Check {to_check}")
    return TransientError(
        f"the Iceberg catalog does not answer: {text}. Check {to_check}, and that its server runs"
    )


def _explain_rest(error: Exception, lakehouse: LakehouseSettings) -> FraudlakeError:
    where = f"the Iceberg catalog at {lakehouse.catalog_uri}"
    if isinstance(error, ValidationError):
        return SinkError(
            f"{where} answers, but not as an Iceberg REST catalog does. Check {_PREFIX}CATALOG_URI:"
            " it ends before /v1"
        )
    text = _shorten(str(error), lakehouse)
    if isinstance(error, _LOGIN_REFUSED):
        return SinkError(
            f"{where} refuses: {text}. Check {_PREFIX}CATALOG_TOKEN or {_PREFIX}CATALOG_CREDENTIAL"
        )
    if isinstance(error, RESTError) and not isinstance(error, _BUSY):
        return SinkError(
            f"{where} refuses: {text}. Check {_PREFIX}CATALOG_URI and {_PREFIX}WAREHOUSE"
        )
    return TransientError(
        f"{where} does not answer: {text}. Check {_PREFIX}CATALOG_URI and that it runs"
    )


def _explain_files(error: OSError, lakehouse: LakehouseSettings) -> FraudlakeError:
    text = _shorten(str(error), lakehouse)
    if isinstance(error, FileNotFoundError | PermissionError) or _REFUSED_BY_S3.search(text):
        return SinkError(
            f"the warehouse refuses: {text}. Check {_PREFIX}WAREHOUSE, that bucket or folder exist,"
            f" and who may use them ({_PREFIX}S3_ACCESS_KEY_ID)"
        )
    return TransientError(
        f"the warehouse does not answer: {text}. Check {_PREFIX}WAREHOUSE and {_PREFIX}S3_ENDPOINT"
    )


def _shorten(text: str, lakehouse: LakehouseSettings) -> str:
    """The first line without a secret."""
    for field in fields(lakehouse):
        value = getattr(lakehouse, field.name)
        if isinstance(value, Secret) and value.reveal() != "":
            text = text.replace(value.reveal(), "***")
    return first_line(text)
