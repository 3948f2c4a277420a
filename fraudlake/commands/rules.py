"""``fraudlake rules``: the rule sets, what is wrong with a file, what a rule becomes.

And which of them were used: that is recorded in the lakehouse.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from pipelines.features import Features
    from pipelines.rules import CompiledRuleset, Ruleset

_app = typer.Typer(no_args_is_help=True, help="List, check, show and record rule sets.")
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A shipped rule set, or a file.")]
_File = Annotated[str, typer.Argument(metavar="FILE", help="A rule file, or a shipped name.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON value, for machines.")]


class Dialect(StrEnum):
    """The engines that rules are compiled for."""

    flink = "flink"
    duckdb = "duckdb"


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.add_typer(_app, name="rules")


@_app.command("list")
def list_rulesets(as_json: _Json = False) -> None:
    """List the shipped rule sets with their versions.

    Example: [bold]fraudlake rules list[/bold]
    """
    from pipelines.features import load_features
    from pipelines.rules import load_ruleset, shipped_rulesets

    features = load_features()
    found = [load_ruleset(name, features) for name in shipped_rulesets()]
    if as_json:
        summaries = [_summary(ruleset) for ruleset in found]
        typer.echo(json.dumps(summaries, ensure_ascii=False))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("version", no_wrap=True)
    table.add_column("rules", justify="right")
    table.add_column("review / block at", no_wrap=True)
    table.add_column("what", overflow="fold")
    for ruleset in found:
        limits = f"{ruleset.review_at:g} / {ruleset.block_at:g} ({ruleset.combine})"
        what = Text(ruleset.description)
        table.add_row(ruleset.version, str(len(ruleset.rules)), limits, what)
    _print(table)


@_app.command()
def check(file: _File, as_json: _Json = False) -> None:
    """Check a rule file: every fault with its line, then every example.

    Exit code 1 when something is wrong. Example: [bold]fraudlake rules check my_rules.toml[/bold]
    """
    from pipelines.errors import RulesetError
    from pipelines.features import load_features
    from pipelines.rules import explain_failure, failing_examples, find_ruleset, read_ruleset

    path = find_ruleset(file)
    faults: list[str] = []
    ruleset: Ruleset | None = None
    try:
        ruleset = read_ruleset(path, load_features())
        faults = [explain_failure(path.name, *found) for found in failing_examples(ruleset)]
    except RulesetError as error:
        faults = str(error).splitlines()
    if as_json:
        known = {} if ruleset is None else _summary(ruleset)
        hints = [] if ruleset is None or faults else _hints(ruleset)
        answer = {**known, "ok": not faults, "faults": faults, "hints": hints}
        typer.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _show_check(ruleset, faults)
    if faults:
        raise typer.Exit(1)


@_app.command()
def show(
    name: _Name,
    sql: Annotated[
        Dialect | None, typer.Option(help="The SQL that this engine runs, instead.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show a rule set: its rules, or the SQL they become.

    Example: [bold]fraudlake rules show classic --sql duckdb[/bold]
    """
    from pipelines.features import load_features
    from pipelines.rules import compile_rules, load_ruleset

    features = load_features()
    ruleset = load_ruleset(name, features)
    compiled = None if sql is None else compile_rules(ruleset, sql.value)
    if as_json:
        typer.echo(json.dumps(_as_json(ruleset, features, compiled), ensure_ascii=False))
    elif compiled is None:
        _show_rules(ruleset)
    else:
        typer.echo(_sql_text(compiled))


@_app.command()
def record(as_json: _Json = False) -> None:
    """Record in the lakehouse what came into use here and its table `rulesets` lacks.

    Publishing in Dagster, `fraudlake job deploy` and `job submit` do so by themselves; this makes
    up for one that found the lakehouse away. Nothing is recorded twice.

    Example: [bold]fraudlake rules record[/bold]
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from pipelines.settings import Settings
    from sinks.lakehouse.rulesets import record_rulesets

    done = record_rulesets(Settings.from_env(), now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    for version in done.added:
        typer.echo(f"{version} is recorded")
    if not done.added:
        typer.echo(f"nothing is missing: {_count(done.kept, 'rule set')} kept here, all recorded")


def _summary(ruleset: Ruleset) -> dict[str, Any]:
    return {
        "id": ruleset.id,
        "version": ruleset.version,
        "description": ruleset.description,
        "combine": ruleset.combine,
        "review_at": ruleset.review_at,
        "block_at": ruleset.block_at,
        "rules": [
            {
                "id": rule.id,
                "owner": rule.owner,
                "description": rule.description,
                "state": rule.state,
                "weight": rule.weight,
                "when": rule.when,
                "because": rule.because,
                "columns": sorted(rule.columns),
            }
            for rule in ruleset.rules
        ],
    }


def _as_json(
    ruleset: Ruleset, features: Features, compiled: CompiledRuleset | None
) -> dict[str, Any]:
    """The summary, what the stages compute for it and, for the rules that run, their SQL."""
    summary = _summary(ruleset)
    by_id = {} if compiled is None else {rule.id: rule for rule in compiled.rules}
    for rule in summary["rules"]:
        if rule["id"] in by_id:
            sql = by_id[rule["id"]]
            rule["sql"] = {
                "fires": sql.fires,
                "observed": sql.observed,
                "limit": sql.limit,
                "because": sql.because,
            }
    plans = [json.loads(stage.plan_json()) for stage in features.select(ruleset.columns)]
    return {**summary, "stages": plans}


def _show_check(ruleset: Ruleset | None, faults: Sequence[str]) -> None:
    from rich.text import Text

    for fault in faults:
        _say(Text.assemble(("✗ ", "red"), fault))
    if faults or ruleset is None:
        return
    examples = sum(len(rule.examples) for rule in ruleset.rules)
    holding = f"{_count(len(ruleset.rules), 'rule')}, {_count(examples, 'example')} hold"
    _say(Text.assemble(("✓ ", "green"), f"{ruleset.version}: {holding}"))
    for hint in _hints(ruleset):
        _say(Text.assemble(("! ", "yellow"), hint))


def _hints(ruleset: Ruleset) -> list[str]:
    """What is no fault, and worth mending."""
    lack = "has no example of each kind: one that fires, and a near miss that does not"
    return [
        f"rule {rule.id} {lack}"
        for rule in ruleset.rules
        if {example.fires for example in rule.examples} != {True, False}
    ]


def _show_rules(ruleset: Ruleset) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    _say(Text.assemble((ruleset.version, "bold"), f"  {ruleset.description}"))
    _say(
        f"combine {ruleset.combine}, review at {ruleset.review_at:g}, "
        f"block at {ruleset.block_at:g}\n"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    table.add_column("rule", no_wrap=True)
    table.add_column("weight", justify="right")
    table.add_column("when, because", overflow="fold")
    for rule in ruleset.rules:
        state = "" if rule.state == "active" else f"\n{rule.state}"
        table.add_row(
            Text.assemble((rule.id, "bold"), (state, "yellow")),
            f"{rule.weight:g}",
            Text.assemble(rule.when.strip(), ("\n" + rule.because, "dim")),
        )
    _print(table)


def _sql_text(compiled: CompiledRuleset) -> str:
    """The expressions as SQL that can be read, and pasted into a query."""
    parts = [f"-- {compiled.ruleset.version}"]
    for rule in compiled.rules:
        parts += [
            f"\n-- {rule.id}: {rule.state}, weight {rule.weight:g}",
            f"{rule.fires} AS fired_{rule.id},",
            f"{rule.observed} AS observed_{rule.id},",
            f"{rule.limit} AS limit_{rule.id},",
            f"{rule.because} AS because_{rule.id},",
        ]
    score = compiled.score_sql([f"fired_{rule.id}" for rule in compiled.rules])
    parts += ["\n-- over the columns above", f"{score} AS score,"]
    parts.append(f"{compiled.band_sql('score')} AS band")
    return "\n".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(text: Text | str) -> None:
    """A line of any length, which the terminal breaks: it can be copied whole."""
    from rich.console import Console

    Console(highlight=False, soft_wrap=True).print(text)


def _print(part: RenderableType) -> None:
    from rich.console import Console

    Console(highlight=False).print(part)
