"""Whether a broker keeps a topic as the pipeline counts on."""

from __future__ import annotations

import pytest

from orchestration.topic_assets import judge_kept
from pipelines.topics import declare_topics

TOPICS = declare_topics()
PLAIN = {"max.message.bytes": "1048588", "segment.ms": "604800000"}
"""Kafka's own."""


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("transactions", {"retention.ms": "604800000"}, ""),
        ("transactions", {"retention.ms": "9604800000"}, ""),
        ("transactions", {"retention.ms": "-1"}, ""),
        (
            "transactions",
            {"retention.ms": "86400000"},
            "transactions: retention.ms is 86400000, to be 604800000",
        ),
        ("labels", {"retention.ms": "604800000"}, "retention.ms is 604800000, to be -1"),
        ("customers", {"cleanup.policy": "compact", "retention.ms": "604800000"}, ""),
        ("customers", {"cleanup.policy": "delete", "retention.ms": "-1"}, "to be compact"),
        (
            "decisions",
            {"retention.ms": "777600000", "max.message.bytes": "1048588"},
            "max.message.bytes is 1048588, to be 4194304",
        ),
        ("decisions", {"retention.ms": "777600000", "max.message.bytes": "8388608"}, ""),
    ],
)
def test_topic_that_is_kept_shorter_or_smaller_is_told(
    name: str, settings: dict[str, str], words: str
) -> None:
    found = {**PLAIN, "cleanup.policy": "delete", **settings}

    verdict = judge_kept(getattr(TOPICS, name), found)

    assert verdict.passed is (words == "")
    assert words in verdict.sentence
