from __future__ import annotations

from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig
from elasticsearch import ApiError, ConnectionError

from pipelines.errors import FraudlakeError, SinkError, TransientError
from pipelines.settings import ElasticsearchSettings
from sinks.alerts.bulk import (
    ItemReply,
    RequestTooLargeError,
    Verdict,
    classify,
    explain_stop,
    send_bulk,
)
from sinks.alerts.document import Document

SETTINGS = ElasticsearchSettings(url="http://127.0.0.1:1", index="fraud-alerts")
DOCUMENTS = [
    Document(id="a", index="m", action=b'{"update":"a"}', body=b'{"doc":1}'),
    Document(id="b", index="m", action=b'{"update":"b"}', body=b'{"doc":2}'),
]


class FakeClient:
    """Answers one bulk request, or fails it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.lines: list[bytes] = []

    def bulk(self, *, operations: list[bytes], filter_path: str, timeout: str) -> Any:
        self.lines = operations
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def status(code: int) -> ApiError:
    meta = ApiResponseMeta(
        status=code,
        http_version="1.1",
        headers=HttpHeaders(),
        duration=0.0,
        node=NodeConfig("http", "127.0.0.1", 1),
    )
    return ApiError("busy", meta, {"error": {"type": "busy"}})


@pytest.mark.parametrize(
    ("code", "error", "verdict"),
    [
        (200, "", Verdict.DONE),
        (201, "", Verdict.DONE),
        (409, "version_conflict_engine_exception", Verdict.RETRY),
        (429, "es_rejected_execution_exception", Verdict.RETRY),
        (503, "unavailable_shards_exception", Verdict.RETRY),
        (500, "exception", Verdict.RETRY),
        (403, "cluster_block_exception", Verdict.RETRY),
        (429, "cluster_block_exception", Verdict.RETRY),
        (400, "index_closed_exception", Verdict.RETRY),
        (400, "document_parsing_exception", Verdict.DEAD),
        (400, "mapper_parsing_exception", Verdict.DEAD),
        (400, "strict_dynamic_mapping_exception", Verdict.DEAD),
        (413, "too_large", Verdict.DEAD),
        (400, "validation_exception", Verdict.STOP),
        (400, "illegal_argument_exception", Verdict.STOP),
        (400, "routing_missing_exception", Verdict.STOP),
        (400, "document_source_missing_exception", Verdict.STOP),
        (401, "security_exception", Verdict.STOP),
        (403, "security_exception", Verdict.STOP),
        (404, "index_not_found_exception", Verdict.RETRY),
        (404, "alias_not_found_exception", Verdict.STOP),
        (405, "", Verdict.STOP),
    ],
)
def test_each_answer_has_one_meaning(code: int, error: str, verdict: Verdict) -> None:
    assert classify(ItemReply(status=code, error=error)) is verdict


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        (
            'Document contains at least one immense term in field="fraud.because" (whose UTF8 '
            "encoding is longer than the max length 32766), all of which were skipped.",
            Verdict.DEAD,
        ),
        (
            "no write index is defined for alias [m]. The write index may be explicitly disabled "
            "using is_write_index=false or the alias points to multiple indices",
            Verdict.STOP,
        ),
        ("number of documents in the index cannot exceed 2147483519", Verdict.STOP),
    ],
)
def test_illegal_argument_is_the_documents_fault_only_where_it_says_so(
    reason: str, verdict: Verdict
) -> None:
    reply = ItemReply(status=400, error="illegal_argument_exception", reason=reason)

    assert classify(reply) is verdict


def test_request_has_two_lines_per_document_and_replies_keep_their_order() -> None:
    refusal = {"type": "document_parsing_exception", "reason": "not a number"}
    client = FakeClient(
        {"items": [{"update": {"status": 201}}, {"update": {"status": 400, "error": refusal}}]}
    )

    replies = send_bulk(client, DOCUMENTS, SETTINGS)

    assert client.lines == [
        b'{"update":"a"}',
        b'{"doc":1}',
        b'{"update":"b"}',
        b'{"doc":2}',
    ]
    assert replies == [
        ItemReply(status=201),
        ItemReply(status=400, error="document_parsing_exception", reason="not a number"),
    ]


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ConnectionError("refused"), TransientError),
        (ConnectionTimeout("too slow"), TransientError),
        (status(429), TransientError),
        (status(503), TransientError),
        (status(400), SinkError),
        (status(418), SinkError),
    ],
)
def test_failed_request_is_worth_another_try_only_when_the_server_is_away_or_busy(
    failure: Exception, kind: type[FraudlakeError]
) -> None:
    with pytest.raises(kind):
        send_bulk(FakeClient(failure), DOCUMENTS, SETTINGS)


def test_request_that_is_too_large_asks_to_be_halved() -> None:
    with pytest.raises(RequestTooLargeError):
        send_bulk(FakeClient(status(413)), DOCUMENTS, SETTINGS)


def test_answer_that_leaves_items_out_is_not_believed() -> None:
    with pytest.raises(TransientError, match="1 of 2"):
        send_bulk(FakeClient({"items": [{"update": {"status": 200}}]}), DOCUMENTS, SETTINGS)


def test_stop_says_what_to_do() -> None:
    reply = ItemReply(status=403, error="security_exception", reason="no rights")

    assert "right to write to m" in str(explain_stop(reply, DOCUMENTS[0]))


def test_alias_without_a_write_index_is_named_with_what_it_lacks() -> None:
    reason = "no write index is defined for alias [m]."
    reply = ItemReply(status=400, error="illegal_argument_exception", reason=reason)

    assert "which index of the alias m is written to (is_write_index)" in str(
        explain_stop(reply, DOCUMENTS[0])
    )
