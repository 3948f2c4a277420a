"""The job that reads the side inputs before the real one starts: the same statement, held back.

Its savepoint is what the real job begins with. So everything is the same but the transactions: none
is let in, and their source has another name, and with it another uid, so that the real job's own
source finds nothing there and starts as it does without any state.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from pipelines.errors import JobError

if TYPE_CHECKING:
    from flink_jobs.statement import Statement

TRANSACTIONS = "transactions"
HELD = "held_transactions"
# Never idle: the time of the side inputs would then count alone.
_FROM_NOW_ON = "'scan.startup.mode' = 'latest-offset',\n  'scan.watermark.idle-timeout' = '365 d'"
_WATERMARK = "WATERMARK FOR `event_time` AS"


def side_inputs(statement: Statement) -> tuple[str, ...]:
    """The sources beside the transactions, by the names of ``pipelines.topics.Topics``."""
    return tuple(name for name in statement.sources if name != TRANSACTIONS)


def priming_form(statement: Statement, *, group: str) -> Statement:
    """The statement that reads the side inputs alone, as a consumer group that was never used.

    Offsets of the job's own groups are left alone, and those of ``group`` tell how far it has come.
    JobError where the statement is not of the shape that is known here.
    """
    setup = statement.setup
    for pattern, replacement in (
        (f"TABLE `{TRANSACTIONS}`", f"TABLE `{HELD}`"),
        ("'scan.startup.mode' = 'group-offsets'", _FROM_NOW_ON),
        # No offset is below 0, which the planner cannot know: the source stays, and gives nothing.
        (f"FROM {TRANSACTIONS}", f"FROM {HELD} WHERE `source_offset` < 0"),
        # Nor any time: what is read here is not forgotten for being older than what happens now.
        (f"{_WATERMARK} CASE WHEN", f"{_WATERMARK} CASE WHEN `source_offset` < 0 AND"),
    ):
        setup = _replace_once(setup, pattern, replacement)
    groups = re.compile(r"'properties\.group\.id' = '[^']*'")
    own = f"'properties.group.id' = '{group}'"
    return dataclasses.replace(
        statement,
        setup=tuple(groups.sub(own, step) for step in setup),
        sources=(HELD, *side_inputs(statement)),
    )


def _replace_once(setup: tuple[str, ...], text: str, replacement: str) -> tuple[str, ...]:
    pattern = re.compile(rf"{re.escape(text)}(?!\w)")
    found = sum(len(pattern.findall(step)) for step in setup)
    if found != 1:
        msg = f"the side inputs cannot be read first: the statement has {found} of {text!r}, not 1"
        raise JobError(msg)
    return tuple(pattern.sub(replacement, step) for step in setup)
