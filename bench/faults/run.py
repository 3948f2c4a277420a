"""Servers are killed while the job decides; afterwards every decision must be there, once.

1. The customers are sent: each job reads them before it decides anything.
2. A job decides the transactions while TaskManager, JobManager and broker are killed.
3. Another job, with a name and a consumer group of its own, decides the same topic undisturbed.
4. Both outputs, read as a consumer of committed records sees them, are held against each other.

Both jobs write to the same topics, one after the other: the input, and with it every id, is the
very same. What belongs to which is told by where the topics ended in between.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.faults.comparison import Differences, Side, different_places, explain, judge_side
from bench.faults.kills import VICTIMS, Kill, Victim, plan_kills
from bench.faults.outcome_reading import (
    Span,
    count_held_back,
    read_differences,
    read_ends,
    read_outcomes,
)
from bench.faults.traffic import FaultLoad, Traffic, send_customers, send_transactions
from bench.faults.watched_job import Operator, WatchedJob
from bench.own_topics import with_prefix
from pipelines.features import load_features
from pipelines.kafka import create_topics, delete_topics, read_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.caller import Listener
    from bench.faults.outcomes import Outcomes
    from pipelines.settings import Settings

SETTLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """One kill that was made."""

    victim: Victim
    at_records: int
    """What the job had committed."""
    back_s: float
    """Until it had committed more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReport:
    """One fault run: what was done to the job, and what became of the records."""

    load: FaultLoad
    prefix: str
    input_records: int
    kills: tuple[Struck, ...]
    wanted_kills: int
    restores: int
    held_back: int
    """Offsets that a transaction hid from readers half a minute after the job had stopped."""
    killed: Side
    replayed: Side
    differences: Differences
    killed_seconds: float
    replayed_seconds: float

    @property
    def kills_by_victim(self) -> Mapping[str, int]:
        return {name: sum(kill.victim == name for kill in self.kills) for name in VICTIMS}

    @property
    def is_well(self) -> bool:
        """Whether nothing is missing, doubled or different, and every kill struck."""
        sides = self.killed.is_well and self.replayed.is_well and self.held_back == 0
        return sides and self.differences.is_well and len(self.kills) == self.wanted_kills


def run_fault_bench(
    settings: Settings,
    load: FaultLoad,
    *,
    kills: int,
    ruleset: str,
    operator: Operator,
    on_progress: Listener,
    say: Callable[[str], None],
) -> FaultReport:
    """Run all four steps on topics of their own, which stay where something is off.

    ``kills`` 0 is the replay test: one topic, two jobs.
    """
    prefix = f"faults{load.seed}-{int(time.time())}-"
    own = with_prefix(settings, prefix)
    create_topics(own.kafka, own.kafka.topics().all())
    run = _Run(own, load, ruleset=ruleset, operator=operator, on_progress=on_progress, say=say)
    report = run.report(plan_kills(seed=load.seed, kills=kills, records=load.total))
    if report.is_well:
        delete_topics(own.kafka, own.kafka.topics().all())
    else:
        say(f"the topics {prefix}* are left for you to look at")
    return report


class _Run:
    """The steps of one call of ``run_fault_bench``, and what they share."""

    def __init__(
        self,
        settings: Settings,
        load: FaultLoad,
        *,
        ruleset: str,
        operator: Operator,
        on_progress: Listener,
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._load = load
        self._ruleset = ruleset
        self._operator = operator
        self._on_progress = on_progress
        self._say = say

    def report(self, plan: tuple[Kill, ...]) -> FaultReport:
        kafka = self._settings.kafka
        # 1. customers
        send_customers(kafka, self._load)
        beginning = read_ends(kafka)
        # 2. kills
        began = time.monotonic()
        struck, restores = self._decide_under_kills(plan)
        killed_seconds, held_back = time.monotonic() - began, self._settle()
        between = read_ends(kafka)
        # 3. once more
        began = time.monotonic()
        self._decide_again()
        replayed_seconds, held_back = time.monotonic() - began, held_back + self._settle()
        # 4. both against each other
        killed_span = Span(start=beginning, end=between)
        replayed_span = Span(start=between, end=read_ends(kafka))
        killed = self._read("reading what was decided", killed_span)
        replayed = self._read("reading the second time", replayed_span)
        return FaultReport(
            load=self._load,
            prefix=kafka.topic_prefix,
            input_records=sum(held.end - held.start for held in killed.held.values()),
            kills=struck,
            wanted_kills=len(plan),
            restores=restores,
            held_back=held_back,
            killed=judge_side(killed),
            replayed=judge_side(replayed),
            differences=self._explain(killed, replayed, (killed_span, replayed_span)),
            killed_seconds=killed_seconds,
            replayed_seconds=replayed_seconds,
        )

    def _named(self, name: str) -> Settings:
        flink = dataclasses.replace(self._settings.flink, job_name=f"faults-{name}")
        return dataclasses.replace(self._settings, flink=flink)

    def _decide_under_kills(self, plan: tuple[Kill, ...]) -> tuple[tuple[Struck, ...], int]:
        own, load = self._named("killed"), self._load
        if load.rate is None:
            send_transactions(
                own.kafka, load, lambda done: self._on_progress("sending", done, load.records)
            )
        self._operator.start(own, ruleset=self._ruleset)
        traffic = None if load.rate is None else Traffic(own.kafka, load)
        step = "deciding, under kills" if plan else "deciding"
        with WatchedJob(
            own, self._operator, lambda done: self._on_progress(step, done, load.total)
        ) as watch:
            watch.progress()
            first = watch.restores  # from the savepoint it began with
            struck = []
            for number, kill in enumerate(plan, start=1):
                struck.append(self._strike(watch, kill))
                self._say(f"{number}. {_describe(struck[-1])}")
            watch.await_true("the end", lambda: self._is_through(watch, traffic))
            watch.release()
            restores = watch.restores - first
            self._operator.stop(own)
        return tuple(struck), restores

    def _strike(self, watch: WatchedJob, kill: Kill) -> Struck:
        """Kill at the planned moment, and return when the job has committed something since."""
        watch.await_true("the next kill's moment", lambda: watch.progress() >= kill.at_records)
        time.sleep(kill.delay_s)
        done, job_id, began = watch.progress(), watch.job_id(), time.monotonic()
        old = self._operator.kill(kill.victim)
        watch.await_true(
            f"another {kill.victim}", lambda: self._operator.pid(kill.victim) not in (None, old)
        )
        if kill.victim == "jobmanager":
            watch.await_true("the job", lambda: watch.job_id() not in (None, job_id))
        # What was on its way to the broker when the process died is there by now.
        left = watch.progress()
        watch.await_true(
            "progress after a kill",
            lambda: watch.progress() > left or left >= self._load.total,
        )
        return Struck(victim=kill.victim, at_records=done, back_s=time.monotonic() - began)

    def _decide_again(self) -> None:
        own, total = self._named("replayed"), self._load.total
        self._operator.start(own, ruleset=self._ruleset)
        with WatchedJob(
            own, self._operator, lambda done: self._on_progress("deciding again", done, total)
        ) as watch:
            watch.await_true("the end", lambda: self._is_through(watch, None))
            watch.release()
            self._operator.stop(own)

    def _is_through(self, watch: WatchedJob, traffic: Traffic | None) -> bool:
        return (traffic is None or traffic.is_done()) and watch.progress() >= self._load.total

    def _settle(self) -> int:
        """Offsets still hidden from readers when there was time enough to show them."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (held_back := count_held_back(self._settings.kafka)) > 0:
            if time.monotonic() > deadline:
                return held_back
            time.sleep(0.5)
        return 0

    def _read(self, step: str, span: Span) -> Outcomes:
        kafka, total = self._settings.kafka, self._load.total
        held = read_offsets(kafka, kafka.topics().transactions.name)
        return read_outcomes(
            kafka, held, span, on_progress=lambda done: self._on_progress(step, done, total)
        )

    def _explain(
        self, killed: Outcomes, replayed: Outcomes, spans: tuple[Span, Span]
    ) -> Differences:
        wanted = frozenset(different_places(killed, replayed))
        found = read_differences(
            self._settings.kafka,
            spans,
            wanted,
            on_progress=lambda done: self._on_progress("comparing", done, len(wanted)),
        )
        return explain(killed, replayed, found, order_features=order_features())


def _describe(kill: Struck) -> str:
    return f"{kill.victim} killed at {kill.at_records:,} records, back after {kill.back_s:.1f} s"


def order_features() -> frozenset[str]:
    """The features that depend on the order of arrival between cards.

    A card's own never do, nor what is known of its customer: both jobs read the customers first.
    """
    return frozenset(
        feature.name
        for feature in load_features().features
        if feature.entity != "card" and feature.aggregate != "attribute"
    )
