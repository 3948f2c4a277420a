"""What became of the demo's traffic, beside what the generator knows of it."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fraudlake.demo.traffic import Truth
    from fraudlake.demo.watch import Seen
    from pipelines.producer import Produced


def build_summary(produced: Produced, seen: Seen, truth: Truth) -> Table:
    """A line for each thing worth knowing."""
    table = Table(show_header=False, box=None)
    table.add_row("sent", f"{produced.transactions:,} transactions")
    table.add_row("", f"{produced.repeats} of them twice, {produced.malformed} broken records")
    if produced.failed:
        lost = f"{sum(produced.failed.values()):,} records ({produced.last_failure})"
        table.add_row("[red]not sent[/red]", lost)
    table.add_row("decided", f"{seen.decisions:,} ({_counts(seen.bands)})")
    table.add_row("", describe_delays(measure_delays(seen, truth)))
    table.add_row("dead letters", f"{seen.dead_letters:,}")
    table.add_row("alerts", f"{len(seen.alerts):,}, of {seen.revisions:,} flagged payments")
    table.add_row("rules fired", _counts(seen.rules))
    for scenario, frauds in sorted(truth.frauds.items()):
        caught = len(frauds & seen.flagged)
        table.add_row(scenario.replace("_", " "), f"{caught} of {len(frauds)} payments flagged")
    flagged = len(truth.genuine & seen.flagged)
    share = flagged / max(1, len(truth.genuine))
    table.add_row("genuine", f"{flagged:,} of {len(truth.genuine):,} flagged ({share:.1%})")
    return table


def measure_delays(seen: Seen, truth: Truth) -> list[float]:
    """Seconds from sending each transaction to reading its committed decision, ascending."""
    return sorted(
        decided_s - truth.sent_at_s[transaction_id]
        for transaction_id, decided_s in seen.decided_at_s.items()
        if transaction_id in truth.sent_at_s
    )


def describe_delays(delays: list[float]) -> str:
    """Median and 99th percentile, as a phrase.

    >>> describe_delays([0.2, 0.5, 0.8])
    'readable 0.50 s after they were sent (median), 0.80 s at the 99th percentile'
    """
    if not delays:
        return "none of what was sent here"
    tail = delays[min(len(delays) - 1, int(len(delays) * 0.99))]
    return (
        f"readable {statistics.median(delays):.2f} s after they were sent (median), "
        f"{tail:.2f} s at the 99th percentile"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"
