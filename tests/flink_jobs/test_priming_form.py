"""The priming job is the statement itself, but that no transaction comes in or is remembered."""

from __future__ import annotations

import dataclasses
import re

import pytest
from test_statement import plan

from flink_jobs.priming import priming_form, side_inputs
from flink_jobs.uids import name_node
from pipelines.errors import JobError

STATEMENT = plan("speed", topic_prefix="eu-")
PRIMING = priming_form(STATEMENT, group="eu-fraud-priming-1")


def table(setup: tuple[str, ...], name: str) -> str:
    (found,) = [step for step in setup if step.startswith(f"CREATE TEMPORARY TABLE `{name}`")]
    return found


@pytest.mark.parametrize(("ruleset", "names"), [("classic", ()), ("speed", ("customers",))])
def test_side_inputs_are_the_sources_beside_transactions(
    ruleset: str, names: tuple[str, ...]
) -> None:
    assert side_inputs(plan(ruleset)) == names


def test_transactions_are_read_from_now_on_under_another_name_and_let_nothing_in() -> None:
    held = table(PRIMING.setup, "held_transactions")
    assert "'scan.startup.mode' = 'latest-offset'" in held
    assert "'topic' = 'eu-transactions'" in held
    # Their time stands still, so that nothing that is read counts as long ago.
    assert "WATERMARK FOR `event_time` AS CASE WHEN `source_offset` < 0 AND `event_time`" in held
    assert "'scan.watermark.idle-timeout' = '365 d'" in held
    (view,) = [step for step in PRIMING.setup if "VIEW arrived" in step]
    assert view.endswith("FROM held_transactions WHERE `source_offset` < 0")
    script = PRIMING.script()
    # Every row of a transaction comes through that view.
    assert len(re.findall(r"(?:FROM|TABLE) `?held_transactions", script)) == 2
    assert not re.search(r"(?:FROM|TABLE) `?transactions", script)


def test_the_real_job_finds_no_offsets_of_transactions_under_its_sources_uid() -> None:
    identifier = "`default_catalog`.`default_database`.`held_transactions`"
    node = {
        "type": "stream-exec-table-source-scan_2",
        "scanTableSource": {"table": {"identifier": identifier}},
    }
    name_node(node)
    assert node["configuration"] == {
        "table.exec.uid.format": "source-held_transactions_<transformation>"
    }


def test_everything_else_is_the_same_but_for_the_consumer_group() -> None:
    assert PRIMING.inserts == STATEMENT.inserts
    assert (PRIMING.sinks, PRIMING.ruleset) == (STATEMENT.sinks, STATEMENT.ruleset)
    assert PRIMING.sources == ("held_transactions", "customers")
    groups = re.compile(r"'properties\.group\.id' = '([^']*)'")
    assert set(groups.findall(PRIMING.script())) == {"eu-fraud-priming-1"}
    customers = groups.sub("", table(PRIMING.setup, "customers"))
    assert customers == groups.sub("", table(STATEMENT.setup, "customers"))
    # Outputs of both jobs belong together: what one left open, the other ends.
    assert table(PRIMING.setup, "outbox") == table(STATEMENT.setup, "outbox")


def test_statement_of_another_shape_is_refused() -> None:
    setup = tuple(step.replace("FROM transactions", "FROM others") for step in STATEMENT.setup)
    with pytest.raises(JobError, match="has 0 of 'FROM transactions', not 1"):
        priming_form(dataclasses.replace(STATEMENT, setup=setup), group="g")
