"""What a catalog says when it says no becomes one sentence: which, why, what to do."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.ports import choose_ports
from pipelines.errors import FraudlakeError, SinkError, TransientError
from pipelines.settings import LakehouseSettings, Secret, Settings
from sinks.lakehouse import properties as module
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.catalog import Catalog

SECRET = "hunter2"


class Stub(ThreadingHTTPServer):
    """Answers every request alike, and remembers what came with it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = 200
        self.body = json.dumps({"defaults": {}, "overrides": {}})
        self.logins: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Stub

    def do_GET(self) -> None:
        self.server.logins.append(self.headers["Authorization"])
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def rest(address: str, **changes: str | Secret) -> Settings:
    lakehouse = LakehouseSettings(catalog_uri=address)
    return Settings(lakehouse=dataclasses.replace(lakehouse, **changes))


def refuse(settings: Settings) -> FraudlakeError:
    with pytest.raises(FraudlakeError) as caught, open_catalog(settings):
        pass
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) < 600
    return caught.value


@pytest.mark.parametrize(
    ("settings", "login"),
    [({}, None), ({"catalog_token": Secret(SECRET)}, f"Bearer {SECRET}")],
)
def test_a_token_is_sent_and_without_one_nothing(
    stub: Stub, settings: dict[str, Secret], login: str | None
) -> None:
    with open_catalog(rest(stub.address, **settings)):
        pass

    assert stub.logins == [login]


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (401, '{"error": {"message": "no", "type": "N", "code": 401}}', SinkError, "N: no. Check"),
        (403, "", SinkError, "refuses"),
        (404, "", SinkError, "Check FRAUDLAKE_LAKEHOUSE_CATALOG_URI and FRAUDLAKE_LAKEHOUSE_WAR"),
        (503, "", TransientError, "does not answer"),
        (500, "<html>\n" * 999, TransientError, "does not answer"),
        (200, "<html>hello", SinkError, "answers, but not as an Iceberg REST catalog does"),
        (
            401,
            json.dumps({"error": {"message": f"bad token {SECRET}", "type": "N", "code": 401}}),
            SinkError,
            "bad token ***",
        ),
    ],
)
def test_what_a_rest_catalog_says(
    stub: Stub, status: int, body: str, kind: type[FraudlakeError], sentence: str
) -> None:
    stub.status, stub.body = status, body

    error = refuse(rest(stub.address, catalog_token=Secret(SECRET)))

    assert type(error) is kind
    assert sentence in str(error)
    assert stub.address in str(error)


def test_a_rest_catalog_that_is_away_is_worth_another_try() -> None:
    port = choose_ports({"nobody": 0}, strict=False)["nobody"]

    error = refuse(rest(f"http://127.0.0.1:{port}"))

    assert isinstance(error, TransientError)
    assert "does not answer" in str(error)


def test_a_sqlite_catalog_that_stays_locked_is_worth_another_try(
    lake_settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_table(catalog, LakehouseSettings(), DECISIONS)
    monkeypatch.setitem(module._SQLITE_OPTIONS, "timeout", "0.05")
    file = lake_settings.stack.home / "lakehouse" / "catalog.db"
    with sqlite3.connect(file) as other, open_catalog(lake_settings) as mine:
        other.execute("BEGIN EXCLUSIVE")
        assert mine is not None
        with (
            pytest.raises(TransientError, match="SQLite file is locked by another process"),
            explained(lake_settings),
        ):
            create_table(mine, LakehouseSettings(namespace="other"), DECISIONS)
    other.close()


def test_a_file_that_is_no_catalog_is_named(lake_settings: Settings) -> None:
    file = lake_settings.stack.home / "lakehouse" / "catalog.db"
    file.parent.mkdir()
    file.write_text("not a database, whatever its name says" * 10)

    error = refuse(lake_settings)

    assert isinstance(error, SinkError)
    assert "file is not a database. Check FRAUDLAKE_STACK_HOME" in str(error)
