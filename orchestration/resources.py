"""The outside systems as Dagster resources: two or three verbs each, no client before it is used.

Each reads the settings when a verb is called, so that loading the code location needs no server and
no environment. They are plain classes: what they could be configured with is in the settings
already. The tests hand in small stand-ins with the same verbs.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from orchestration.front_door import ask
from pipelines.errors import NoTablesError
from pipelines.features import load_features
from pipelines.flink import FlinkRest
from pipelines.job_memory import remembered
from pipelines.kafka import create_topics, read_offsets, read_topic_settings
from pipelines.published_rules import publish, publish_first, published_file, read_published
from pipelines.rules import read_ruleset
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from pipelines.features import Stage
    from pipelines.published_rules import Publication, Unpublished
    from pipelines.topics import Topic, Topics
    from sinks.alerts.differences import Difference
    from sinks.alerts.retention import Expiry, Judged
    from sinks.dashboards.publish import Comparison, Outcome
    from sinks.lakehouse.rulesets import Recorded
    from sinks.lakehouse.upkeep.round import Task, UpkeepReport
    from sinks.lakehouse.watch.behaviour import Behaviour
    from sinks.lakehouse.watch.columns import ColumnDifference
    from sinks.lakehouse.watch.doubles import Doubles
    from sinks.reconciliation.hour import HourEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """The job as it is, with nothing done about it."""

    job_id: str
    ruleset: str
    """Empty: it is not known how the job was made."""
    state: Literal["runs", "is stopped", "has ended"]


class Broker:
    """The Kafka broker."""

    def topics(self) -> Topics:
        """The topics as they are named and split on this broker."""
        return Settings.from_env().kafka.topics()

    def create(self, topic: Topic) -> bool:
        """See that the topic exists; True if it had to be made."""
        return topic.name in create_topics(Settings.from_env().kafka, [topic])

    def read_settings(self, topic: Topic) -> Mapping[str, str]:
        """How the broker keeps the topic, by Kafka's names."""
        return read_topic_settings(Settings.from_env().kafka, topic.name)

    def count_records(self, topic: Topic) -> int:
        """How many records the topic holds."""
        held = read_offsets(Settings.from_env().kafka, topic.name)
        return sum(part.end - part.start for part in held.values())


class Stream:
    """The Flink job."""

    def page_of(self, job_id: str) -> str:
        """The job's page in Flink's own console."""
        return Settings.from_env().flink.page_of(job_id)

    def find(self) -> FoundJob | None:
        """The job that runs, or was deployed here last; None: none ever ran."""
        settings = Settings.from_env()
        known = remembered(settings)
        rest = FlinkRest(settings.flink.rest_url)
        active = rest.active_job(settings.flink.job_name)
        if active is not None:
            # The job says it itself: what is remembered here is written down a moment later.
            ruleset = rest.parameters(active.job_id).get("ruleset", "")
            return FoundJob(job_id=active.job_id, ruleset=ruleset, state="runs")
        # A first deployment that failed is remembered, too.
        if known is None or not (known.has_run or known.is_stopped or known.superseded):
            return None
        state: Literal["is stopped", "has ended"] = (
            "is stopped" if known.is_stopped else "has ended"
        )
        return FoundJob(job_id=known.job_id, ruleset=known.ruleset, state=state)

    def deploy(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Make the job what the rules in force, code and settings say; what that did.

        Where no rule set was published, the one that was deployed last stays. An answer that tells
        of lost or doubled records is an answer, too.
        """
        settings = Settings.from_env()
        known = read_published(settings)
        named = () if known is None else ("--ruleset", str(published_file(settings, known)))
        return ask("job", "deploy", *named, "--json", log=log, may_find_fault=True)

    def restore(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Start the last deployment again as it was, unless it runs or was given up."""
        return ask("job", "restore", "--unattended", "--json", log=log)

    def start(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Start the job where it was stopped, unless it runs."""
        return ask("job", "submit", "--if-missing", "--json", log=log)

    def stop(self, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Stop the job with a savepoint; it stays stopped until somebody starts it."""
        return ask("job", "stop", "--json", log=log)

    def stages(self) -> Sequence[Stage]:
        """What a job of the rules in force computes; nothing where none were published."""
        settings = Settings.from_env()
        known = read_published(settings)
        if known is None:
            return ()
        features = load_features()
        ruleset = read_ruleset(published_file(settings, known), features)
        return features.select(ruleset.columns)


class RuleDesk:
    """Where rule sets are published and recorded."""

    def publish(self, ruleset: str | None) -> Publication:
        """Check a rule set and put it in force; RulesetError lists every fault."""
        return publish(Settings.from_env(), ruleset=ruleset, now=datetime.now(UTC))

    def publish_first(self) -> Publication | Unpublished:
        """Leave in force what is; else publish what the job has, as long as the file is that."""
        return publish_first(Settings.from_env(), now=datetime.now(UTC))

    def record(self) -> Recorded:
        """See that the lakehouse has every version that came into use here, each once."""
        from sinks.lakehouse.rulesets import record_rulesets

        return record_rulesets(Settings.from_env(), now=datetime.now(UTC))


class Tables:
    """The tables of the lakehouse: to be kept fast and small, and to be looked at.

    Each verb answers None where there are no tables yet.
    """

    def keep_up(
        self, task: Task, *, only_look: bool, log: Callable[[str], None]
    ) -> UpkeepReport | None:
        """Do one task of upkeep on every table, or only say what it would do.

        TransientError if an upkeep is under way.
        """
        from sinks.lakehouse.upkeep.round import keep_up

        settings = Settings.from_env()
        with suppress(NoTablesError):
            return keep_up(settings, (task,), tables=(), dry_run=only_look, say=log)
        return None

    def read_behaviour(self, now: datetime) -> Behaviour | None:
        """How the stream decided in the last day, and in the week before."""
        from sinks.lakehouse.watch.behaviour import read_behaviour

        with suppress(NoTablesError):
            return read_behaviour(Settings.from_env(), now=now)
        return None

    def find_doubles(self, since: datetime) -> Doubles | None:
        """Transactions that were stored twice since a moment."""
        from sinks.lakehouse.watch.doubles import find_doubles

        with suppress(NoTablesError):
            return find_doubles(Settings.from_env(), since=since)
        return None

    def find_differences(self) -> list[ColumnDifference] | None:
        """Columns that are not as this release writes them."""
        from sinks.lakehouse.watch.columns import find_differences

        return find_differences(Settings.from_env())


class Audit:
    """Reads what became of one hour of transactions, in topics, tables and index."""

    def gather_hour(self, begin: datetime, *, log: Callable[[str], object]) -> HourEvidence:
        """Of the hour that begins then."""
        from sinks.reconciliation.hour_evidence import gather_hour

        return gather_hour(Settings.from_env(), begin, partial(_tell, log))


class AlertIndex:
    """The index of alerts."""

    def apply_template(self) -> str:
        """Put template and alias in place; created, updated or unchanged."""
        from sinks.alerts.template import apply_template

        return apply_template(Settings.from_env())

    def count(self) -> int:
        """How many alerts it holds."""
        from sinks.alerts.search import read_index_count

        return read_index_count(Settings.from_env())

    def count_ids(self) -> Counter[str]:
        """How many documents each alert has."""
        from sinks.alerts.search import read_origins

        return Counter(alert_id for alert_id, _ in read_origins(Settings.from_env()))

    def find_differences(self) -> Sequence[Difference]:
        """What template, alias and months have otherwise than this release."""
        from sinks.alerts.differences import read_differences

        return read_differences(Settings.from_env())

    def judge_months(self, today: date) -> Sequence[Judged]:
        """The fate of each month; nothing is deleted."""
        from sinks.alerts.retention import read_retention

        settings = Settings.from_env()
        keep = settings.elasticsearch.keep_months
        return read_retention(settings, today=today, keep_months=keep)

    def expire(self, today: date, *, log: Callable[[str], None]) -> Expiry:
        """Delete the months that are old enough and finished.

        TransientError if another change of the indices is under way.
        """
        from sinks.alerts.index_lock import hold_indices
        from sinks.alerts.retention import expire_months

        settings = Settings.from_env()
        keep = settings.elasticsearch.keep_months
        with hold_indices(settings, "alert months in Dagster", say=log) as confirm:
            return expire_months(settings, today=today, keep_months=keep, say=log, confirm=confirm)

    def name(self) -> str:
        """The alias that is searched."""
        return Settings.from_env().elasticsearch.index


class Dashboards:
    """Kibana, as far as its dashboards and alerting rules are ours."""

    def url(self) -> str:
        """Where it is; empty: there is none."""
        return Settings.from_env().kibana.url

    def apply(self, *, only_missing: bool) -> Sequence[Outcome]:
        """Put them there, or those that are missing; what became of each."""
        from sinks.dashboards.catalog import artifacts
        from sinks.dashboards.kibana import Kibana
        from sinks.dashboards.publish import apply

        settings = Settings.from_env()
        kibana = Kibana(settings.kibana)
        return list(apply(kibana, artifacts(settings), only_missing=only_missing))

    def compare(self) -> Sequence[Comparison] | None:
        """Each of them beside what Kibana has; None: there is no Kibana."""
        from sinks.dashboards.catalog import artifacts
        from sinks.dashboards.kibana import Kibana
        from sinks.dashboards.publish import compare

        settings = Settings.from_env()
        if settings.kibana.url == "":
            return None
        return list(compare(Kibana(settings.kibana), artifacts(settings)))


class Sinks:
    """The two sinks, as processes."""

    def run_elsewhere(self) -> bool:
        """Whether something else than the local stack runs them."""
        return Settings.from_env().stack.sinks_external

    def act(
        self, action: str, *words: str, log: Callable[[str], object]
    ) -> Sequence[Mapping[str, Any]]:
        """Start, stop or restart those that are named, else both; what was done to each.

        After its name, ``start`` takes the word that spares what a person has stopped.
        """
        reports: Sequence[Mapping[str, Any]]
        reports = ask("sink", action, *words, "--json", log=log)["sinks"]
        return reports

    def count_rows(self, *, log: Callable[[str], object]) -> Mapping[str, int]:
        """The rows of each table that the lakehouse sink fills; those that exist."""
        from sinks.lakehouse.tables import SINK_TABLES

        filled = {table.name for table in SINK_TABLES}
        tables = ask("lake", "stats", "--json", log=log)["tables"]
        return {
            str(table["table"]): int(table["rows"]) for table in tables if table["table"] in filled
        }


class Traffic:
    """Whatever sends transactions: the generator, or a file that is replayed."""

    def send(self, *words: str, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Run a sending command to its end, or to ours; its summary."""
        return ask(*words, log=log, is_leashed=True)


def _tell(log: Callable[[str], object], what: str, count: int) -> None:
    log(f"{what}: {count:,} read")
