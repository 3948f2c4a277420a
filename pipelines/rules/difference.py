"""What one rule set does other than another, as Markdown for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.ruleset import Rule, Ruleset

Row = tuple[str, str, str, str]
_HEAD = ("combine", "review_at", "block_at")
_RULE = ("state", "weight", "when", "because", "owner")


def describe_difference(before: Ruleset | None, after: Ruleset) -> str:
    """A table of every rule and limit that is new, gone or other; a sentence where there is none.

    Without ``before`` everything is new, and is only counted.
    """
    if before is None:
        evaluated = len(after.evaluated)
        return (
            f"**{after.version}** is the first that is published: {evaluated} rules are evaluated."
        )
    rows = list(_compare(before, after))
    if not rows:
        same = "is what it was" if before.version == after.version else "says the same in its rules"
        return f"**{after.version}** {same}; nothing changes."
    lines = [f"**{before.version}** becomes **{after.version}**", ""]
    lines += ["| rule | what | before | after |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(_cell(text) for text in row)} |" for row in rows]
    return "\n".join(lines)


def _compare(before: Ruleset, after: Ruleset) -> Iterator[Row]:
    for name in _HEAD:
        old, new = _text(getattr(before, name)), _text(getattr(after, name))
        if old != new:
            yield "(all)", name, old, new
    was = {rule.id: rule for rule in before.rules}
    now = {rule.id: rule for rule in after.rules}
    for rule in after.rules:
        if rule.id in was:
            yield from _compare_rule(was[rule.id], rule)
        else:
            yield rule.id, "added", "", _summary(rule)
    for rule in before.rules:
        if rule.id not in now:
            yield rule.id, "removed", _summary(rule), ""
    if before.feature_meaning != after.feature_meaning and was.keys() == now.keys():
        yield "(all)", "features", "as declared then", "as declared now"


def _compare_rule(before: Rule, after: Rule) -> Iterator[Row]:
    for name in _RULE:
        old, new = _text(getattr(before, name)), _text(getattr(after, name))
        if old != new:
            yield after.id, name, old, new


def _summary(rule: Rule) -> str:
    return f"{rule.state}, weight {rule.weight:g}: {_text(rule.when)}"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
