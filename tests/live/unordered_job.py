"""The job without its re-ordering step: the control of the test that looks at the order."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

from flink_jobs import fraud_detection

if TYPE_CHECKING:
    from flink_jobs.statement import Statement

planned = fraud_detection.plan


def plan_unordered(*arguments: object) -> Statement:
    statement = planned(*arguments)  # type: ignore[arg-type]
    inserts = tuple(
        text.replace('"reordering":true', '"reordering":false') for text in statement.inserts
    )
    assert inserts != statement.inserts
    return dataclasses.replace(statement, inserts=inserts)


if __name__ == "__main__":
    with patch.object(fraud_detection, "plan", plan_unordered):
        sys.exit(fraud_detection.main())
