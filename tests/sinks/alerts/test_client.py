"""How we are let in: what a server is told about us, what nobody else is told."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig, TlsError
from elasticsearch import ApiError, AuthorizationException

from pipelines.errors import FraudlakeError, SettingsError, SinkError, TransientError
from pipelines.settings import ElasticsearchSettings, Secret
from sinks.alerts.client import connect, explain, translate_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = ElasticsearchSettings(url="http://127.0.0.1:1", index="fraud-alerts")
KEY = "aHVudGVyMjpodW50ZXIy"


@contextmanager
def stub(status: int, answer: dict[str, Any], seen: list[str | None]) -> Iterator[str]:
    """A server that gives ``answer`` to everything, and notes who asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/vnd.elasticsearch+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Not on the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_api_key_goes_into_the_header_and_into_no_log(caplog: pytest.LogCaptureFixture) -> None:
    for logger in (None, "elastic_transport"):  # which the sink's command makes quiet
        caplog.set_level(logging.DEBUG, logger=logger)
    seen: list[str | None] = []
    with stub(200, {"status": "green"}, seen) as url:
        settings = ElasticsearchSettings(url=url, api_key=Secret(KEY))
        with connect(settings) as client:
            assert client.cluster.health()["status"] == "green"
            assert KEY not in repr(client)
    assert seen == [f"ApiKey {KEY}"]
    assert "GET http://127.0.0.1" in caplog.text  # something was logged
    assert KEY not in caplog.text
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    ("status", "fault", "sentence"),
    [
        (
            401,
            {"type": "security_exception", "reason": "unable to authenticate"},
            r"does not know us \(401 unable to authenticate\). Check .*_API_KEY",
        ),
        (
            403,
            {"type": "security_exception", "reason": "it is granted by [index,write]"},
            r"forbids this \(403 it is granted by \[index,write\]\). .*roles.yml",
        ),
    ],
)
def test_refused_key_is_a_sentence_without_the_key(
    status: int, fault: dict[str, str], sentence: str
) -> None:
    answer = {"error": {**fault, "root_cause": [fault]}, "status": status}
    with stub(status, answer, []) as url:
        settings = ElasticsearchSettings(url=url, api_key=Secret(KEY))
        with (
            connect(settings) as client,
            pytest.raises(SinkError, match=sentence) as caught,
            translate_errors(settings),
        ):
            client.cluster.health()
    assert KEY not in str(caught.value)


def test_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content, reason in ((None, "No such file"), ("no certificate", "NO_CERTIFICATE")):
        file = tmp_path / "ca.crt"
        if content is not None:
            file.write_text(content)
        settings = ElasticsearchSettings(url="https://127.0.0.1:9200", ca_certificate=str(file))
        with pytest.raises(SettingsError, match=f"CA_CERTIFICATE={file}: .*{reason}.* in PEM"):
            connect(settings)


def test_server_without_tls_is_told_apart_from_one_that_is_away() -> None:
    with stub(200, {"status": "green"}, []) as url:
        settings = ElasticsearchSettings(url=url.replace("http://", "https://"))
        with (
            connect(settings) as client,
            pytest.raises(SinkError, match=r"does not speak TLS: .*begin with http://"),
            translate_errors(settings),
        ):
            client.cluster.health()


def test_tls_connection_that_breaks_off_is_worth_another_try() -> None:
    """A server that is killed in the middle of a handshake once ended the sink for good."""
    broken = TlsError("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")
    found = explain(broken, ElasticsearchSettings(url="https://127.0.0.1:9200"))
    assert isinstance(found, TransientError)


def refuse(status: int, kind: str, reason: str) -> ApiError:
    meta = ApiResponseMeta(
        status=status,
        http_version="1.1",
        headers=HttpHeaders(),
        duration=0.0,
        node=NodeConfig("http", "127.0.0.1", 1),
    )
    error = AuthorizationException if status == 403 else ApiError
    return error(kind, meta, {"error": {"type": kind, "reason": reason}})


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (403, "security_exception", SinkError),
        (403, "cluster_block_exception", TransientError),
        (429, "cluster_block_exception", TransientError),
    ],
)
def test_block_is_worth_another_try_and_a_missing_right_is_not(
    status: int, kind: str, expected: type[FraudlakeError]
) -> None:
    reason = "index [fraud-alerts-2026.11] blocked by: [FORBIDDEN/8/index write (api)];"

    told = explain(refuse(status, kind, reason), SETTINGS)

    assert isinstance(told, expected)
    if expected is TransientError:
        assert reason in str(told)
        assert "fraudlake alerts diff" in str(told)


def test_closed_month_is_waited_for_and_the_sentence_says_who_names_it() -> None:
    told = explain(refuse(400, "index_closed_exception", "closed"), SETTINGS)

    assert isinstance(told, TransientError)
    assert "fraud-alerts closed, in one of its months" in str(told)
    assert "fraudlake alerts diff" in str(told)
