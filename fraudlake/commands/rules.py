"""``fraudlake rules``: look at rule sets, and check one of your own before it goes live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pipelines.rules import Ruleset

rules = typer.Typer(
    name="rules",
    help="Rule sets: which there are, what they say, whether yours is right.",
    no_args_is_help=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="For a machine to read.")]
Name = Annotated[str, typer.Argument(help="A shipped rule set, or the path of a file.")]


def register(app: typer.Typer) -> None:
    """Hang the commands on the application."""
    app.add_typer(rules)


@rules.command("list")
def list_rulesets(as_json: AsJson = False) -> None:
    """The shipped rule sets, with their versions and rules."""
    from rich.console import Console
    from rich.table import Table

    from pipelines.rules import shipped_rulesets

    found = [_load(name) for name in shipped_rulesets()]
    if as_json:
        typer.echo(json.dumps([_summary(ruleset) for ruleset in found]))
        return
    table = Table(box=None)
    for heading in ("rule set", "version", "rules"):
        table.add_column(heading)
    for ruleset in found:
        names = ", ".join(rule.id for rule in ruleset.rules)
        table.add_row(ruleset.id, ruleset.version.partition("@")[2], names)
    Console().print(table)


@rules.command()
def check(name: Name, as_json: AsJson = False) -> None:
    """Check a rule file and its examples: every fault at once, with its line. Exit code 1 if any.

    Example: fraudlake rules check my_rules.toml
    """
    from pipelines.rules import failing_examples

    ruleset = _load(name)
    faults = [
        f"rule {rule.id} {'does not fire' if example.fires else 'fires'} on its example "
        f"{json.dumps(example.given)}"
        for rule, example in failing_examples(ruleset)
    ]
    if as_json:
        typer.echo(json.dumps({**_summary(ruleset), "faults": faults}))
    else:
        for fault in faults:
            typer.echo(fault)
        examples = sum(len(rule.examples) for rule in ruleset.rules)
        if not faults:
            typer.echo(
                f"{ruleset.version}: {len(ruleset.rules)} rules and {examples} examples are right"
            )
    if faults:
        raise typer.Exit(1)


@rules.command()
def show(
    name: Name,
    sql: Annotated[
        Literal["flink", "duckdb"] | None, typer.Option(help="The SQL that one engine runs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """A rule set whole: bands, and each rule with its condition and its sentence.

    Example: fraudlake rules show speed --sql duckdb
    """
    from rich.console import Console

    from pipelines.rules import compile_rules

    ruleset = _load(name)
    if as_json:
        typer.echo(json.dumps(_summary(ruleset)))
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"{ruleset.version}  weights combine by {ruleset.combine}, "
        f"review from {ruleset.review_at:g}, block from {ruleset.block_at:g}"
    )
    compiled = {} if sql is None else {r.id: r for r in compile_rules(ruleset, sql).rules}
    for rule in ruleset.rules:
        console.print(f"\n{rule.id}  {rule.state}, weight {rule.weight:g}, owner {rule.owner}")
        if rule.id in compiled:
            console.print(f"  fires    {compiled[rule.id].fires}")
            console.print(f"  because  {compiled[rule.id].because}")
        else:
            console.print(f"  when     {rule.when}")
            console.print(f"  because  {rule.because}")


def _load(name: str) -> Ruleset:
    from pipelines.features import load_features
    from pipelines.rules import load_ruleset

    return load_ruleset(name, load_features())


def _summary(ruleset: Ruleset) -> dict[str, object]:
    return {
        "id": ruleset.id,
        "version": ruleset.version,
        "combine": ruleset.combine,
        "review_at": ruleset.review_at,
        "block_at": ruleset.block_at,
        "rules": [
            {
                "id": rule.id,
                "owner": rule.owner,
                "state": rule.state,
                "weight": rule.weight,
                "when": rule.when,
                "because": rule.because,
            }
            for rule in ruleset.rules
        ],
    }
