"""``fraudlake job plan``: what the job of a rule set would compute, without a cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.features import Stage
    from pipelines.rules import Ruleset
    from pipelines.settings import Settings

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def plan(
    ruleset: Annotated[
        str | None,
        typer.Option(help="A shipped rule set, or a file of yours; else the setting's."),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="The whole statement, instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what the job would compute: its stages, their keys and features. Nothing is started.

    A rule or a feature that cannot be planned is refused here, every fault with its line.

    Example: fraudlake job plan --ruleset my_rules.toml --sql
    """
    from fraudlake.job.submission import write_sql
    from pipelines.features import load_features
    from pipelines.rules import load_ruleset
    from pipelines.settings import Settings

    settings = Settings.from_env()
    features = load_features()
    name = ruleset or settings.flink.ruleset
    rules = load_ruleset(name, features)
    if sql:
        typer.echo(write_sql(settings, name))
        return
    content = _describe(settings, rules, features.select(rules.columns))
    if as_json:
        typer.echo(json.dumps(content))
    else:
        _show(content)


def _describe(settings: Settings, rules: Ruleset, stages: tuple[Stage, ...]) -> dict[str, Any]:
    from pipelines.features import KEY_COLUMNS
    from pipelines.features.estimate import bytes_per_key

    topics = settings.kafka.topics()
    beside = [
        *([topics.customers.name] if any(stage.is_attributes for stage in stages) else []),
        *([topics.labels.name] if any(stage.has_labels for stage in stages) else []),
    ]
    window_ms = settings.flink.alert_window_h * 3_600_000
    described = [
        {
            "stage": stage.entity,
            "uid": stage.uid,
            "key": KEY_COLUMNS[stage.entity],
            "looks_back": _duration(max(stage.horizon_ms, stage.labels_ms)),
            "state_bytes": bytes_per_key(stage),
            "filters": [item.name for item in stage.filters],
            "features": [feature.name for feature in stage.features],
        }
        for stage in stages
    ]
    judgement = {
        "stage": "judgement",
        "uid": "judgement",
        "key": KEY_COLUMNS["card"],
        "looks_back": _duration(window_ms),
        "state_bytes": 0,
        "filters": [],
        "features": [],
    }
    return {
        "ruleset": rules.version,
        "rules": {state: _count(rules, state) for state in ("active", "shadow", "draft", "paused")},
        "stages": [*described, judgement],
        "reads": [topics.transactions.name, *beside],
        "writes": [topics.decisions.name, topics.alerts.name, topics.dead_letters.name],
    }


def _count(rules: Ruleset, state: str) -> int:
    return sum(rule.state == state for rule in rules.rules)


def _duration(milliseconds: int) -> str:
    """In the largest unit that leaves no rest.

    >>> _duration(90 * 60_000), _duration(0)
    ('90 min', '-')
    """
    for unit, name in _UNITS:
        if milliseconds > 0 and milliseconds % unit == 0:
            return f"{milliseconds // unit} {name}"
    return "-"


def _show(content: dict[str, Any]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, emoji=False)
    counts = ", ".join(f"{count} {state}" for state, count in content["rules"].items() if count)
    console.print(f"{content['ruleset']}: {counts}")
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("stage", "by", "looks back"):
        table.add_column(title, no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("computes", overflow="fold")
    for stage in content["stages"]:
        computes = ", ".join(stage["features"]) or "-"
        size = f"{stage['state_bytes']:,}" if stage["state_bytes"] else "-"
        table.add_row(stage["stage"], stage["key"], stage["looks_back"], size, computes)
    console.print(table)
    console.print("bytes: state of one key with 60 events, estimated; of alerts only flagged cards")
    console.print(f"reads {', '.join(content['reads'])}; writes {', '.join(content['writes'])}")
