"""Judging what is stored: rows, columns, and whether the stream still decides as it did.

Pure functions over what ``sinks.lakehouse.watch`` has counted.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestration.verdict import Verdict, fail, is_well, warn

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

    from sinks.alerts.differences import Difference
    from sinks.dashboards.publish import Comparison
    from sinks.lakehouse.watch.behaviour import Behaviour
    from sinks.lakehouse.watch.columns import ColumnDifference
    from sinks.lakehouse.watch.doubles import Doubles

FEWEST_DECISIONS = 1_000
"""In the last day and in the week before: below, chance alone moves the figures."""
FEWEST_FIRES = 30
"""Of a rule, on either side, for the same reason."""
SHIFT = 0.25
"""A population stability index above it is, by custom, a shift; below 0.1 nothing has moved."""
TIMES = 3.0
"""A rule that fires so many times more often than before, or less."""
FLAGGED_LEAST, FLAGGED_MOST, FLAGGED_WRONG = 0.0005, 0.10, 0.30
"""Shares of decisions. Investigators drown above the second; above the third a rule is broken."""
SHOWN = 20


def judge_scores(found: Behaviour) -> Verdict:
    """Are scores spread as in the week before?"""
    unjudged = _explain_unjudged(found, "scores")
    if unjudged is not None:
        return unjudged
    shift = stability_index(found.reference.scores, found.recent.scores)
    sentence = f"scores of {found.ruleset} moved by {shift:.3f} against the week before"
    if shift > SHIFT:
        return warn(f"{sentence}, above {SHIFT}: is other traffic coming in?", psi=round(shift, 4))
    return is_well(sentence, psi=round(shift, 4))


def judge_rules_fired(found: Behaviour) -> Verdict:
    """Does each rule fire as often as in the week before?"""
    fired = ", ".join(sorted(found.recent.rules)) or "none fired"
    unjudged = _explain_unjudged(found, f"the rules ({fired})")
    if unjudged is not None:
        return unjudged
    rates = {name: _rates(found, name) for name in {**found.reference.rules, **found.recent.rules}}
    moved = {name: pair for name, pair in rates.items() if _has_moved(found, name, *pair)}
    table = _rate_table(rates, moved)
    if moved:
        names = ", ".join(sorted(moved))
        verdict = warn(
            f"{len(moved)} of {len(rates)} rules fire otherwise: {names}", rules=len(moved)
        )
    else:
        verdict = is_well(f"{len(rates)} rules fire as often as in the week before", rules=0)
    return replace(verdict, markdown={"rates": table})


def judge_flag_rate(found: Behaviour) -> Verdict:
    """Is the share of flagged decisions one that investigators can live with?"""
    decisions = found.recent.decisions
    if decisions < FEWEST_DECISIONS:
        return is_well(f"{decisions:,} decisions within a day are too few to judge")
    flagged = decisions - found.recent.bands.get("allow", 0)
    share = flagged / decisions
    sentence = f"{flagged:,} of {decisions:,} decisions of the last day are flagged ({share:.2%})"
    figures = {"share": round(share, 6), "flagged": flagged}
    if share > FLAGGED_WRONG:
        return fail(f"{sentence}: a rule flags what is everyday", **figures)
    if not FLAGGED_LEAST <= share <= FLAGGED_MOST:
        bounds = f"{FLAGGED_LEAST:.2%} to {FLAGGED_MOST:.0%}"
        return warn(f"{sentence}, outside of {bounds}", **figures)
    return is_well(sentence, **figures)


def judge_doubles(found: Doubles) -> Verdict:
    """Is each transaction stored once?"""
    sentence = f"{found.doubled:,} of {found.decisions:,} decisions of two days stand there twice"
    if found.doubled == 0:
        return is_well(sentence, doubled=0)
    ids = "\n".join(f"- `{one}`" for one in found.examples)
    quoted = ", ".join(f"'{one}'" for one in found.examples)
    query = f'fraudlake sql "select * from decisions where decision_id in ({quoted})"'
    return Verdict(
        passed=False,
        sentence=sentence,
        figures={"doubled": found.doubled},
        markdown={"first ids": ids, "to see them": f"```\n{query}\n```"},
    )


def judge_columns(found: Sequence[ColumnDifference] | None) -> Verdict:
    """Have the tables the columns that this release writes?"""
    if found is None:
        return warn("there are no tables yet: `fraudlake lake apply` makes them")
    lacking = [one for one in found if one.wrong != "unknown"]
    names = ", ".join(f"{one.table}.{one.column} ({one.wrong})" for one in found)
    if lacking:
        return fail(f"not as this release writes them: {names}. `fraudlake lake apply`")
    if found:
        return warn(f"columns that this release does not know: {names}")
    return is_well("all columns are there, with the types of this release")


def judge_alert_ids(documents: Counter[str]) -> Verdict:
    """Has each alert one document?"""
    doubled = sorted(name for name, times in documents.items() if times > 1)
    sentence = f"{len(doubled):,} of {len(documents):,} alerts have more than one document"
    if not doubled:
        return is_well(sentence, doubled=0)
    ids = "\n".join(f"- `{one}`" for one in doubled[:SHOWN])
    return Verdict(
        passed=False,
        sentence=sentence,
        figures={"doubled": len(doubled)},
        markdown={"first ids": ids},
    )


def judge_index(found: Sequence[Difference]) -> Verdict:
    """Are template, alias and months as this release has them?"""
    if not found:
        return is_well("template, alias and months are those of this release", differences=0)
    listed = "\n".join(f"- {one.index}: {one.text}" for one in found)
    verdict = warn(
        f"{len(found):,} differences from this release: `fraudlake alerts apply`",
        differences=len(found),
    )
    return replace(verdict, markdown={"differences": listed})


def judge_dashboards(found: Sequence[Comparison] | None) -> Verdict:
    """Has Kibana what this release publishes?"""
    if found is None:
        return is_well("no Kibana is named (FRAUDLAKE_KIBANA_URL): nothing to compare")
    open_ones = [one for one in found if not one.is_settled]
    if not open_ones:
        return is_well(f"all {len(found)} are as this release has them", differing=0)
    names = ", ".join(one.artifact.title for one in open_ones)
    return warn(
        f"{len(open_ones)} of {len(found)} differ: {names}. `fraudlake dashboards diff` says how",
        differing=len(open_ones),
    )


def stability_index(reference: Mapping[str, int], recent: Mapping[str, int]) -> float:
    """How far one spread over bins lies from another; each bin counts half a case more.

    >>> stability_index({"a": 90, "b": 10}, {"a": 90, "b": 10})
    0.0
    >>> round(stability_index({"a": 900, "b": 100}, {"a": 600, "b": 400}), 2)
    0.54
    """
    bins = {**reference, **recent}
    before, after = (sum(counts.values()) + len(bins) / 2 for counts in (reference, recent))
    total = 0.0
    for name in bins:
        was = (reference.get(name, 0) + 0.5) / before
        now = (recent.get(name, 0) + 0.5) / after
        total += (now - was) * math.log(now / was)
    return total


def _explain_unjudged(found: Behaviour, what: str) -> Verdict | None:
    """None where there is enough of both; a new rule set has decided nothing to compare with.

    The first day under it is the one in which a faulty rule shows: it must not look well.
    """
    recent, before = found.recent.decisions, found.reference.decisions
    if recent < FEWEST_DECISIONS:
        return is_well(f"{recent:,} decisions within a day are too few to judge")
    if before >= FEWEST_DECISIONS:
        return None
    return warn(
        f"{what} cannot be judged until {FEWEST_DECISIONS:,} decisions of {found.ruleset} are "
        f"older than a day: {before:,} are, of eight days; {recent:,} are newer"
    )


def _rates(found: Behaviour, rule: str) -> tuple[float, float]:
    return (
        found.reference.rules.get(rule, 0) / found.reference.decisions,
        found.recent.rules.get(rule, 0) / found.recent.decisions,
    )


def _has_moved(found: Behaviour, rule: str, before: float, after: float) -> bool:
    """By more than chance would have it: enough fires seen, or enough to be expected."""
    expected = before * found.recent.decisions
    if max(expected, found.recent.rules.get(rule, 0)) < FEWEST_FIRES:
        return False
    return after > TIMES * before or after * TIMES < before


def _rate_table(
    rates: Mapping[str, tuple[float, float]], moved: Mapping[str, tuple[float, float]]
) -> str:
    rows = [
        f"| {'**' + name + '**' if name in moved else name} | {before:.3%} | {after:.3%} |"
        for name, (before, after) in sorted(rates.items())
    ]
    return "\n".join(["| rule | week before | last day |", "| --- | ---: | ---: |", *rows])
