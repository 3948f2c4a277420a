from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, ConnectionError

from pipelines.errors import SinkError, TransientError
from sinks.alerts import copying
from sinks.alerts.copying import Content, write_copies

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

HITS = [
    {"_id": name, "_seq_no": number, "_source": {"name": name}} for number, name in enumerate("abc")
]


def reply(status: int, kind: str = "", reason: str = "") -> dict[str, Any]:
    error = {"error": {"type": kind, "reason": reason}} if kind else {}
    return {"_id": "a", "status": status, **error}


def status(code: int) -> ApiError:
    meta = ApiResponseMeta(
        status=code,
        http_version="1.1",
        headers=HttpHeaders(),
        duration=0.0,
        node=NodeConfig("http", "127.0.0.1", 1),
    )
    return ApiError("refused", meta, {"error": {"type": "refused"}})


class Server:
    """Answers from a script, then accepts everything; keeps the ids of each request."""

    def __init__(
        self, *script: Exception | Callable[[str], dict[str, Any]], max_items: int = 99
    ) -> None:
        self.script = list(script)
        self.max_items = max_items
        self.requests: list[str] = []
        self.actions: list[dict[str, Any]] = []

    def bulk(
        self, *, index: str, operations: list[bytes], require_alias: bool, filter_path: str
    ) -> dict[str, Any]:
        assert (index, require_alias) == ("copy", True)
        self.actions = [json.loads(line)["index"] for line in operations[::2]]
        ids = [action["_id"] for action in self.actions]
        self.requests.append("".join(ids))
        if len(ids) > self.max_items:
            raise status(413)
        step = self.script.pop(0) if self.script else lambda _: reply(201)
        if isinstance(step, Exception):
            raise step
        return {"items": [{"index": step(one)} for one in ids]}


def write(server: Server) -> None:
    write_copies(cast("Elasticsearch", server), "copy", HITS, rng=Random(1))


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, which do not last."""
    waited: list[float] = []
    monkeypatch.setattr("sinks.alerts.copying.time.sleep", waited.append)
    return waited


def test_each_document_takes_the_number_of_its_change_along() -> None:
    server = Server()
    write(server)

    assert [(one["version"], one["version_type"]) for one in server.actions] == [
        (1, "external_gte"),
        (2, "external_gte"),
        (3, "external_gte"),
    ]


def test_what_the_server_is_too_busy_for_is_sent_again(waits: list[float]) -> None:
    server = Server(
        ConnectionError("away"),
        status(503),
        lambda one: reply(429, "rejected") if one == "b" else reply(201),
    )
    write(server)

    assert server.requests == ["abc", "abc", "abc", "b"]
    assert len(waits) == 3


def test_newer_state_that_is_there_already_is_left_alone() -> None:
    server = Server(lambda _: reply(409, "version_conflict_engine_exception"))
    write(server)

    assert server.requests == ["abc"]


def test_request_too_large_is_halved() -> None:
    server = Server(max_items=1)
    write(server)

    assert server.requests == ["abc", "a", "bc", "b", "c"]


def test_requests_are_cut_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MAX_REQUEST_BYTES", 154)  # two of 77 bytes each
    server = Server()
    write(server)

    assert server.requests == ["ab", "c"]


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (400, "document_parsing_exception", "the new mapping refuses document a: 400 document_"),
        (404, "index_not_found_exception", "was taken away"),
    ],
)
def test_document_that_cannot_be_copied_ends_the_copy(code: int, kind: str, said: str) -> None:
    with pytest.raises(SinkError, match=said):
        write(Server(lambda _: reply(code, kind, "no")))


def test_server_that_stays_busy_ends_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PATIENCE_SECONDS", -1.0)

    with pytest.raises(TransientError, match="too busy"):
        write(Server(status(429)))


def test_content_tells_any_other_document_and_no_other_order() -> None:
    changed = [*HITS[:2], {**HITS[2], "_source": {"name": "d"}}]

    assert Content().with_documents(HITS) == Content().with_documents(HITS[::-1])
    assert Content().with_documents(HITS) != Content().with_documents(changed)
    assert Content().with_documents(HITS) != Content().with_documents(HITS[:2])
    # Swapped bodies are not the same content.
    swapped = [
        {**HITS[0], "_source": HITS[1]["_source"]},
        {**HITS[1], "_source": HITS[0]["_source"]},
    ]
    assert Content().with_documents(HITS[:2]) != Content().with_documents(swapped)
