"""What Flink's answers, and the lack of one, are taken for."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import FraudlakeError, JobError, TransientError
from pipelines.flink import FlinkRest, rest_address

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cluster:
    """A server that gives one answer to everything."""

    def __init__(self) -> None:
        self.answer = b""
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.wfile.write(cluster.answer)
                self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def say(self, status: str, body: bytes, *, length: int | None = None) -> None:
        announced = len(body) if length is None else length
        head = f"HTTP/1.1 {status}\r\nContent-Length: {announced}\r\n\r\n"
        self.answer = head.encode() + body


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        ("404 Not Found", b'{"errors": ["Job x not found"]}', JobError, "404 Job x not found"),
        ("500 Internal Server Error", b"oops", JobError, "500 Internal Server Error"),
        ("502 Bad Gateway", b"", TransientError, "502"),
        ("503 Service Unavailable", b'{"errors": ["starting"]}', TransientError, "starting"),
        ("504 Gateway Timeout", b"", TransientError, "504"),
        ("200 OK", b"<html>", TransientError, "no Flink cluster answers at http://127"),
    ],
)
def test_a_refusal_is_final_and_a_server_that_is_not_ready_is_worth_another_try(
    cluster: Cluster, status: str, body: bytes, kind: type[FraudlakeError], words: str
) -> None:
    cluster.say(status, body)
    with pytest.raises(kind, match=words):
        FlinkRest(cluster.url).cluster()


def test_a_server_that_dies_in_the_middle_of_an_answer_is_away(cluster: Cluster) -> None:
    cluster.say("200 OK", b'{"jobs":', length=500)
    with pytest.raises(TransientError, match="no Flink cluster answers"):
        FlinkRest(cluster.url).jobs("fraud")


def test_what_is_no_answer_at_all_is_away(cluster: Cluster) -> None:
    cluster.answer = b"SSH-2.0-whatever\r\n"
    with pytest.raises(TransientError, match="no Flink cluster answers"):
        FlinkRest(cluster.url).jobs("fraud")


def test_nobody_there_says_what_to_do() -> None:
    with pytest.raises(TransientError, match="Start the local one with `fraudlake up`"):
        FlinkRest("http://127.0.0.1:1").cluster()


def test_the_newest_job_that_lives_is_the_active_one(cluster: Cluster) -> None:
    jobs = [("a", "FAILED", 3), ("b", "RESTARTING", 2), ("c", "RUNNING", 1), ("d", "CANCELLING", 4)]
    body = ",".join(
        f'{{"jid":"{jid}","name":"fraud","state":"{state}","start-time":{begun},"duration":1}}'
        for jid, state, begun in jobs
    )
    cluster.say("200 OK", f'{{"jobs":[{body}]}}'.encode())
    active = FlinkRest(cluster.url).active_job("fraud")
    assert active is not None
    assert active.job_id == "b"
    assert FlinkRest(cluster.url).active_job("other") is None


@pytest.mark.parametrize(
    "url", ["https://flink:8081", "http://proxy/flink", "flink:8081", "ftp://flink:8081"]
)
def test_what_flinks_own_client_cannot_reach_is_refused(url: str) -> None:
    with pytest.raises(JobError, match=r"not to .*FRAUDLAKE_FLINK_REST_URL=http://HOST:PORT"):
        rest_address(url)


def test_flinks_own_client_gets_host_and_port() -> None:
    assert rest_address("http://[::1]:9000") == ("::1", 9000)
