"""The topics at one moment: where they end, and how far behind their readers are.

All of it is asked through one client and two consumers: to make one takes longer than to ask it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.watching.glance import LATE_S, TOO_LATE_S, BrokerGlance, Late, count_late
from pipelines.errors import TerminalError
from pipelines.kafka import OffsetReader, count_records, find_records, read_group_offsets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipelines.kafka import OffsetRange
    from pipelines.settings import KafkaSettings, Settings

    Held = Mapping[int, OffsetRange]

HOUR_MS = 3_600_000
COUNT_SECONDS = 0.5
"""So long dead letters are counted; those of an hour that takes longer are too many anyway."""
WATCHED_TOPICS = ("transactions", "customers", "labels", "decisions", "alerts", "dead_letters")
WRITTEN_TOPICS = ("decisions", "alerts", "dead_letters")
"""By the job, in transactions."""


def look_at_broker(settings: Settings, now: datetime, *, seconds: float) -> BrokerGlance:
    """What the topics hold; ``seconds`` for each question.

    TransientError if the broker is away, TerminalError if one of the topics is not there.
    """
    kafka, topics = settings.kafka, settings.kafka.topics()
    named = {name: getattr(topics, name).name for name in WATCHED_TOPICS}
    reader = OffsetReader(kafka, seconds=seconds)
    held = {name: reader.held(topic) for name, topic in named.items()}
    _check_presence(held, named, kafka)
    now_ms = int(now.timestamp() * 1000)
    late = (now_ms - LATE_S * 1000, now_ms - TOO_LATE_S * 1000)
    decided = _read_done(
        kafka, settings.job_group, named["transactions"], held["transactions"], seconds
    )
    shown = _read_shown(settings, named["alerts"], held["alerts"], seconds)
    decisions_before = reader.at(named["decisions"], *late)
    alerts_before = reader.at(named["alerts"], *late)
    [hour_began] = reader.at(named["transactions"], now_ms - HOUR_MS)
    [letters_began] = reader.at(named["dead_letters"], now_ms - HOUR_MS)
    return BrokerGlance(
        ends={name: _ends(parts) for name, parts in held.items()},
        job_lag=_lag(held["transactions"], decided),
        alerts_lag=_lag(held["alerts"], shown),
        alerts_late=count_late((alerts_before[0], alerts_before[1]), shown),
        decisions_before=(decisions_before[0], decisions_before[1]),
        hidden=_find_hidden(reader, named, held, late),
        letters_last_hour=_count_letters(
            kafka, named["dead_letters"], letters_began, held["dead_letters"]
        ),
        # Written without transactions: each offset is a record.
        transactions_last_hour=_lag(held["transactions"], hour_began),
    )


def _check_presence(
    held: Mapping[str, Held], named: Mapping[str, str], kafka: KafkaSettings
) -> None:
    for name, parts in held.items():
        if not parts:
            msg = (
                f"there is no topic {named[name]} at {kafka.bootstrap_servers}: "
                f"materialize kafka/{name}"
            )
            raise TerminalError(msg)


def _read_done(
    kafka: KafkaSettings, group: str, topic: str, held: Held, seconds: float
) -> dict[int, int]:
    """Up to where a group has come; what was never read begins where the topic does."""
    read = read_group_offsets(kafka, group, topic, partitions=held.keys(), seconds=seconds)
    return {partition: read.get(partition, one.start) for partition, one in held.items()}


def _read_shown(settings: Settings, topic: str, held: Held, seconds: float) -> dict[int, int]:
    """What the alert sink has written, up to the next record, else to the end.

    Its offsets may stand before marks of Kafka's own transactions, any number of them, and nothing
    but a look tells those from alerts.
    """
    from sinks.alerts.run import name_group

    done = _read_done(settings.kafka, name_group(settings), topic, held, seconds)
    behind = {part: offset for part, offset in done.items() if offset < held[part].end}
    found = find_records(settings.kafka, topic, behind, seconds=seconds) if behind else {}
    ends = {part: held[part].end for part in behind}
    return {**done, **ends, **found}


def _find_hidden(
    reader: OffsetReader,
    named: Mapping[str, str],
    held: Mapping[str, Held],
    late: tuple[int, int],
) -> Late:
    """What is older than ``late`` and still lies behind the end that readers see.

    No lag shows it: every reader has read all that it may.
    """
    found = []
    for name in WRITTEN_TOPICS:
        before = reader.at(named[name], *late, is_committed=False)
        found.append(count_late((before[0], before[1]), _ends(held[name])))
    return Late(late=sum(one.late for one in found), too_late=sum(one.too_late for one in found))


def _count_letters(kafka: KafkaSettings, topic: str, began: Mapping[int, int], held: Held) -> int:
    """By reading them: between a few letters lie as many marks of the job's transactions."""
    begins = {part: began[part] for part, one in held.items() if began[part] < one.end}
    return count_records(kafka, topic, begins, seconds=COUNT_SECONDS) if begins else 0


def _ends(held: Held) -> dict[int, int]:
    return {part: one.end for part, one in held.items()}


def _lag(held: Held, done: Mapping[int, int]) -> int:
    """How many offsets lie from ``done`` on; where nothing is known, all."""
    return sum(max(0, one.end - done.get(part, one.start)) for part, one in held.items())
