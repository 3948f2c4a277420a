"""Sending and watching at once, with a bar and the first alerts above it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from fraudlake.demo.traffic import send_traffic
from fraudlake.demo.watch import Watch
from fraudlake.stopping import stop_on_signal

if TYPE_CHECKING:
    from rich.console import Console

    from fraudlake.demo.traffic import Truth
    from fraudlake.demo.watch import Seen, SeenAlert
    from pipelines.producer import Produced
    from pipelines.settings import KafkaSettings

SHOWN_ALERTS = 12
OUTCOME_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What was sent, what came out, and what should have."""

    produced: Produced
    seen: Seen
    truth: Truth
    is_complete: bool
    """Every record that reached the broker has its outcome."""


def show_traffic(console: Console, kafka: KafkaSettings, *, seconds: int, seed: int) -> Show:
    """Send so many seconds of traffic and wait for what becomes of it."""
    stage = _Stage(console)
    with stage.bar, stop_on_signal() as should_stop:
        task = stage.bar.add_task("sending", total=seconds, decided=0, alerts=0)
        watch = Watch(kafka, on_alert=stage.show_alert)
        try:
            produced, truth = send_traffic(
                kafka,
                seconds=seconds,
                seed=seed,
                now_ms=time.time_ns() // 1_000_000,
                on_progress=lambda so_far: stage.update(task, so_far.seconds, watch.seen),
                should_stop=lambda: should_stop() or watch.failure is not None,
            )
            arrived = produced.acknowledged.get(kafka.topics().transactions.name, 0)
            is_complete = watch.await_outcomes(arrived, wait_seconds=OUTCOME_SECONDS)
            stage.update(task, seconds, watch.seen)
        finally:
            watch.close()
    return Show(produced=produced, seen=watch.seen, truth=truth, is_complete=is_complete)


class _Stage:
    """The part of the terminal that changes, and the lines above it."""

    def __init__(self, console: Console) -> None:
        self._shown = 0
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[decided]:,} decided, {task.fields[alerts]:,} alerts"),
            TimeElapsedColumn(),
            console=console,
        )

    def update(self, task: TaskID, completed: float, seen: Seen) -> None:
        self.bar.update(task, completed=completed, decided=seen.decisions, alerts=len(seen.alerts))

    def show_alert(self, alert: SeenAlert) -> None:
        self._shown += 1
        if self._shown <= SHOWN_ALERTS:
            self.bar.console.print(_alert_line(alert), soft_wrap=True, highlight=False)
        if self._shown == SHOWN_ALERTS:
            self.bar.console.print("  ... and so on; the rest is counted below")


def _alert_line(alert: SeenAlert) -> str:
    colour = "red" if alert.band == "block" else "yellow"
    return (
        f"  [{colour}]{alert.band:<6}[/{colour}] {alert.card_id}  "
        f"{alert.money_at_risk:>9,.2f} {alert.currency}  {alert.because}"
    )
