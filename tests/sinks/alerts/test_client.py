from __future__ import annotations

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, AuthorizationException

from pipelines.errors import FraudlakeError, SinkError, TransientError
from pipelines.settings import ElasticsearchSettings
from sinks.alerts.client import explain

SETTINGS = ElasticsearchSettings(url="http://127.0.0.1:1", index="fraud-alerts")


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
