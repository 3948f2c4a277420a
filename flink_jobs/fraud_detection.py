"""The fraud detection job: ``python -m flink_jobs.fraud_detection``.

Reads the settings and a rule set, plans the statement, submits it to a running Flink cluster, and
prints one JSON line with the job's id. The job runs on by itself; whoever started it talks to it
through Flink's REST API. With ``--show`` it prints the statement and submits nothing; with
``--check`` it has Flink compile it and submits nothing. ``--save`` keeps the statement, and
``--statement`` submits one that was kept: what was deployed, whatever has changed since.
``--side-inputs`` names the sources beside the transactions, and ``--priming`` submits the job that
reads them alone (``flink_jobs.priming``).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from flink_jobs.priming import priming_form, side_inputs
from flink_jobs.statement import Statement, write_statement
from pipelines.errors import FraudlakeError, JobError
from pipelines.features import load_features
from pipelines.fx import load_fx
from pipelines.rules import load_ruleset
from pipelines.settings import Settings
from pipelines.whole_file import write_whole

REFUSED = 2


def main() -> int:
    """Submit the job; 0 when the cluster accepted it, 2 when the plan or a setting is at fault."""
    arguments = _parse(sys.argv[1:])
    try:
        sys.stdout.write(_answer(arguments))
    except FraudlakeError as error:
        sys.stderr.write(f"error: {error}\n")
        return REFUSED
    return 0


def _answer(arguments: argparse.Namespace) -> str:
    """Do what was asked; what there is to print of it."""
    settings = Settings.from_env()
    statement = _read(arguments.statement) or plan(
        settings, arguments.ruleset or settings.flink.ruleset
    )
    if arguments.priming is not None:
        statement = priming_form(statement, group=arguments.priming)
    if arguments.show:
        return statement.script()
    if arguments.side_inputs:
        return json.dumps({"side_inputs": side_inputs(statement)}) + "\n"
    if arguments.check:
        from flink_jobs.cluster import check

        check(settings, setup=statement.setup, inserts=statement.inserts, jars=arguments.jar)
        return json.dumps({"ruleset": statement.ruleset}) + "\n"
    if arguments.save is not None:
        write_whole(arguments.save, json.dumps(dataclasses.asdict(statement)))
    job_id = _submit(settings, statement, arguments)
    return json.dumps({"job_id": job_id, "ruleset": statement.ruleset}) + "\n"


def plan(settings: Settings, ruleset: str) -> Statement:
    """The statement for a rule set; raises RulesetError or FeaturesError before anything runs."""
    features = load_features()
    return write_statement(
        settings, ruleset=load_ruleset(ruleset, features), features=features, fx=load_fx()
    )


def _read(path: Path | None) -> Statement | None:
    """A statement that was kept; None where none is named."""
    if path is None:
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(kept[name]) for name in ("setup", "inserts", "sources", "sinks")}
        return Statement(**lists, ruleset=kept["ruleset"])
    except (OSError, ValueError, KeyError) as error:
        msg = f"the statement kept in {path} cannot be read: {error}"
        raise JobError(msg) from error


def _submit(settings: Settings, statement: Statement, arguments: argparse.Namespace) -> str:
    from flink_jobs.cluster import submit  # loads Flink, which --show does without

    if arguments.name is not None:
        flink = dataclasses.replace(settings.flink, job_name=arguments.name)
        settings = dataclasses.replace(settings, flink=flink)
    return submit(
        settings,
        setup=statement.setup,
        inserts=statement.inserts,
        jars=arguments.jar,
        savepoint=arguments.savepoint,
        parameters=f"ruleset:{statement.ruleset},build:{arguments.build}",
        job_id=arguments.job_id,
    )


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flink_jobs.fraud_detection", description=__doc__)
    parser.add_argument("--ruleset", help="a shipped rule set or a file; else the setting's")
    parser.add_argument("--jar", type=Path, action="append", default=[], help="needed by the job")
    parser.add_argument("--savepoint", help="go on from this savepoint or checkpoint")
    parser.add_argument("--job-id", help="32 hexadecimal digits; else Flink chooses")
    parser.add_argument("--name", help="how Flink lists the job; else the setting's job name")
    parser.add_argument("--priming", help="read the side inputs alone, as this consumer group")
    parser.add_argument("--build", default="unknown", help="what it is made of, as a hash")
    parser.add_argument("--save", type=Path, help="keep the statement in this file")
    parser.add_argument("--statement", type=Path, help="submit this kept one; plan nothing")
    parser.add_argument("--check", action="store_true", help="have Flink compile it and stop")
    parser.add_argument("--side-inputs", action="store_true", help="print their names and stop")
    parser.add_argument("--show", action="store_true", help="print the SQL and stop")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
