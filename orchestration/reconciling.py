"""Judging one hour of the stream: is everything that came in, decided and stored exactly once?

Pure functions over what ``sinks.reconciliation.hour`` has gathered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestration.verdict import Verdict
from pipelines.ids import decision_id
from pipelines.topics import INPUT_RETENTION
from sinks.reconciliation.hour import HOUR, LATENESS
from sinks.reconciliation.judgement import SHOWN, judge_alerted, judge_stored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from orchestration.verdict import Severity
    from sinks.reconciliation.hour import HourEvidence
    from sinks.reconciliation.judgement import Finding

_NOUNS = {
    "input -> decisions + dead letters": "transactions' outcomes",
    "decisions -> Iceberg": "decisions in Iceberg",
    "dead letters -> Iceberg": "dead letters in Iceberg",
    "flagged decisions -> alerts": "flagged decisions in alerts",
    "alerts -> Elasticsearch": "alerts in Elasticsearch",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is not there once: a place in the input with its decision, or an alert."""

    step: str
    id: str
    place: tuple[int, int] | None
    wrong: str


def judge_stored_hour(found: HourEvidence, *, now: datetime) -> Verdict:
    """Transactions against decisions and dead letters, and both against their tables."""
    return _judge(found, judge_stored(found.evidence), what="transactions", now=now)


def judge_alerted_hour(found: HourEvidence, *, now: datetime) -> Verdict:
    """Flagged decisions against alerts, and those against the index."""
    # A decision and its alert come together: nothing of it waits for the job.
    decided = replace(found, waiting=0)
    return _judge(decided, judge_alerted(found.evidence), what="flagged decisions", now=now)


def _judge(
    found: HourEvidence, findings: Sequence[Finding], *, what: str, now: datetime
) -> Verdict:
    hour = f"{found.begin:%H:%M}-{found.begin + HOUR:%H:%M} UTC"
    expected = findings[0].expected
    figures = {
        what: expected,
        "missing": sum(one.missing for one in findings),
        "doubled": sum(one.doubled for one in findings),
        "unexpected": sum(one.unexpected for one in findings),
        "cannot be judged": sum(one.unjudged for one in findings),
    }
    if expected == 0 and now - found.begin > INPUT_RETENTION:
        sentence = f"Kafka holds nothing of {hour} any more: it cannot be reconciled"
        return Verdict(passed=False, severity="WARN", sentence=sentence, figures=figures)
    unreadable = found.evidence.unreadable
    wrong = [one for one in findings if not one.is_balanced]
    notes = [one.note for one in findings if one.note]
    said = _tell(findings, unreadable, what=what, hour=hour, waiting=found.waiting)
    sentence = ". ".join([said, *notes])
    faults = list(list_faults(found, findings))
    return Verdict(
        passed=not wrong and not unreadable,
        severity=_severity(found, findings, wrong, now=now),
        sentence=sentence,
        figures=figures,
        markdown={"comparison": _table(findings)} | _details(faults, found.topic),
    )


def list_faults(found: HourEvidence, findings: Iterable[Finding]) -> Iterable[Fault]:
    """The first faults of each step, each with the id by which it is looked up."""
    for finding in findings:
        for example in finding.examples:
            name, wrong = example.rsplit(" ", 1)
            place, identity = None, name
            if ":" in name:
                partition, offset = (int(part) for part in name.split(":"))
                place = (partition, offset)
                identity = decision_id(topic=found.topic, partition=partition, offset=offset)
            yield Fault(step=finding.what, id=identity, place=place, wrong=wrong)


def _severity(
    found: HourEvidence, findings: Sequence[Finding], wrong: Sequence[Finding], *, now: datetime
) -> Severity:
    """WARN while what is missing may still come, as long as nothing else is wrong."""
    if found.evidence.unreadable or any(one.doubled or one.unexpected for one in wrong):
        return "ERROR"
    is_undecided = wrong == [findings[0]] and findings[0].missing <= found.waiting
    return "WARN" if is_undecided or now < found.begin + HOUR + LATENESS else "ERROR"


def _tell(
    findings: Sequence[Finding], unreadable: Sequence[str], *, what: str, hour: str, waiting: int
) -> str:
    """Such as ``0 of 41,207 decisions in Iceberg missing for 14:00-15:00 UTC``."""
    faults = [
        f"{count:,} of {one.expected:,} {_NOUNS[one.what]} {wrong}"
        for one in findings
        for wrong, count in (
            ("missing", one.missing),
            ("doubled", one.doubled),
            ("unexpected", one.unexpected),
        )
        if count
    ]
    if unreadable:
        faults.append(f"{len(unreadable):,} records that are not ours")
    if faults:
        late = f" ({waiting:,} wait for the job)" if waiting else ""
        return f"{', '.join(faults)} for {hour}{late}"
    counts = [f"0 of {one.expected:,} {_NOUNS[one.what]}" for one in findings if one.expected]
    return f"{', '.join(counts)} missing for {hour}" if counts else f"no {what} for {hour}"


def _table(findings: Sequence[Finding]) -> str:
    rows = [
        f"| {one.what} | {one.expected:,} | {one.found:,} | {one.missing:,} | {one.doubled:,} "
        f"| {one.unexpected:,} |"
        for one in findings
    ]
    head = "| step | wanted | found | missing | doubled | unexpected |"
    return "\n".join([head, "| --- | ---: | ---: | ---: | ---: | ---: |", *rows])


def _details(faults: Sequence[Fault], topic: str) -> dict[str, str]:
    """The first faults by name, and the commands that show them."""
    if not faults:
        return {}
    shown = faults[:SHOWN]
    rows = [f"| {one.step} | {one.wrong} | `{one.id}` | {_place(one, topic)} |" for one in shown]
    details = {
        "first faults": "\n".join(
            ["| step | what | decision or alert | input |", "| --- | --- | --- | --- |", *rows]
        )
    }
    places = [one.place for one in shown if one.place is not None]
    if places:
        pairs = ", ".join(f"({partition}, {offset})" for partition, offset in places)
        details["to see them"] = (
            '```\nfraudlake sql "select * from decisions where source_topic = '
            f"'{topic}' and (source_partition, source_offset) in ({pairs})\"\n```"
        )
    ids = [one.id for one in shown if one.place is None]
    if ids:
        commands = "\n".join(f"fraudlake alerts show {one}" for one in ids)
        details["the alerts"] = f"```\n{commands}\n```"
    return details


def _place(fault: Fault, topic: str) -> str:
    if fault.place is None:
        return ""
    partition, offset = fault.place
    return f"{topic} {partition}:{offset}"
