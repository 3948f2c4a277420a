"""Kafka's admin and its clients, for everything outside the Flink job.

Every request has a time limit, and every failure is a TransientError or a TerminalError
(``answers.py``).
"""

from pipelines.kafka.admin import (
    create_topics,
    delete_topics,
    list_partitions,
    read_topic_settings,
    read_transaction_limit_s,
)
from pipelines.kafka.answers import REQUEST_SECONDS, explain
from pipelines.kafka.clients import connect_admin, connect_consumer, connect_producer
from pipelines.kafka.offsets import (
    OffsetRange,
    OffsetReader,
    count_records,
    find_records,
    read_group_offsets,
    read_offsets,
    read_offsets_at,
)

__all__ = [
    "REQUEST_SECONDS",
    "OffsetRange",
    "OffsetReader",
    "connect_admin",
    "connect_consumer",
    "connect_producer",
    "count_records",
    "create_topics",
    "delete_topics",
    "explain",
    "find_records",
    "list_partitions",
    "read_group_offsets",
    "read_offsets",
    "read_offsets_at",
    "read_topic_settings",
    "read_transaction_limit_s",
]
