"""Group ``ingest``: what comes in."""

from __future__ import annotations

from orchestration.topic_assets import build_topic_asset

transactions = build_topic_asset("transactions", group="ingest")
customers = build_topic_asset("customers", group="ingest")
labels = build_topic_asset("labels", group="ingest")
