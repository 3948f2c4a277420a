"""Who looks after what, as the graph shows it."""

from __future__ import annotations

DATA_PLATFORM = "team:data-platform"
INVESTIGATION = "team:fraud-investigation"
FRAUD_RULES = "team:fraud-rules"
