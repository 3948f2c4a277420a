"""One stack of real servers for the whole run, and a set of topics of its own for each test."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from pipelines.kafka import create_topics
from pipelines.settings import Settings


@pytest.fixture(scope="session")
def stack() -> Settings:
    """Settings that point at running servers."""
    return Settings.from_env()


@pytest.fixture
def settings(stack: Settings) -> Settings:
    """The same servers, with fresh topics, index and namespace for this test alone."""
    name = f"t{secrets.token_hex(4)}"
    kafka = dataclasses.replace(stack.kafka, topic_prefix=f"{name}-")
    create_topics(kafka, kafka.topics().all())
    return dataclasses.replace(
        stack,
        kafka=kafka,
        flink=dataclasses.replace(stack.flink, job_name=name),
        elasticsearch=dataclasses.replace(stack.elasticsearch, index=f"{name}-alerts"),
        lakehouse=dataclasses.replace(stack.lakehouse, namespace=name),
    )
