"""Group ``stream``: the rule set in force."""

import dagster as dg
from pydantic import Field

from orchestration.code_version import rules_code_version
from orchestration.failures import translate_failures
from orchestration.keys import RULES
from orchestration.owners import FRAUD_RULES
from orchestration.resources import RuleDesk
from pipelines.published_rules import Publication, Unpublished


class Publishing(dg.Config):
    """Which rule set is to be in force."""

    ruleset: str = Field(
        default="",
        description="A shipped rule set by name, or the path of a file; empty: the one published "
        "last, else the one that the job was deployed with, else the setting's.",
    )
    only_if_never_published: bool = Field(
        default=False,
        description="Leave in force what is, and publish no file that is another by now than the "
        "job has. What the sensor first_look asks for.",
    )


@dg.asset(
    key=RULES,
    group_name="stream",
    kinds={"toml", "sql"},
    owners=[FRAUD_RULES],
    code_version=rules_code_version(),
    description=(
        "The rule set in force, by the hash of what it means.\n\n"
        "Materialize it to publish a rule set: the file is checked, compiled for Flink and for "
        "DuckDB, tried on its own examples and kept under its version; the page shows what "
        "changes. Then materialize `flink/fraud_detection`, which deploys what is published and "
        "is marked as behind until then.\n\n"
        "When it is red: the run's log lists every fault with its line. What was in force stays in "
        "force, and the job is not touched."
    ),
    metadata={
        "command": "fraudlake rules check",
        "how to write rules": dg.MetadataValue.path("docs/rules.md"),
    },
    pool="rules",
)
def active(config: Publishing, rule_desk: dg.ResourceParam[RuleDesk]) -> dg.MaterializeResult[None]:
    with translate_failures():
        if config.only_if_never_published:
            found = rule_desk.publish_first()
        else:
            found = rule_desk.publish(config.ruleset or None)
    if isinstance(found, Unpublished):
        return dg.MaterializeResult(
            data_version=dg.DataVersion(found.version) if found.version else None,
            metadata={"published": found.sentence},
        )
    return _tell(found)


def _tell(done: Publication) -> dg.MaterializeResult[None]:
    ruleset = done.ruleset
    rules = "\n".join(
        f"| {rule.id} | {rule.state} | {rule.weight:g} | {_cell(rule.when)} |"
        for rule in ruleset.rules
    )
    return dg.MaterializeResult(
        data_version=dg.DataVersion(ruleset.version),
        metadata={
            "rule set": ruleset.version,
            "published before": done.before or "none",
            "changes": dg.MetadataValue.md(done.difference),
            "rules": dg.MetadataValue.md(
                f"| rule | state | weight | when |\n| --- | --- | --- | --- |\n{rules}"
            ),
            "evaluated rules": len(ruleset.evaluated),
            "review at": ruleset.review_at,
            "block at": ruleset.block_at,
            "source": done.published.source,
            "file": dg.MetadataValue.path(str(done.path)),
        },
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
