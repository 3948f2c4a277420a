"""The outside systems as Dagster resources: two or three verbs each, no client before it is used.

Each reads the settings when a verb is called, so that loading the code location needs no server and
no environment. They are plain classes: what they could be configured with is in the settings
already. The tests hand in small stand-ins with the same verbs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.front_door import ask
from pipelines.kafka import create_topics, read_offsets
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.topics import Topic, Topics


class Broker:
    """The Kafka broker."""

    def topics(self) -> Topics:
        """The topics as they are named and split on this broker."""
        return Settings.from_env().kafka.topics()

    def create(self, topic: Topic) -> bool:
        """See that the topic exists; True if it had to be made."""
        return topic.name in create_topics(Settings.from_env().kafka, [topic])

    def count_records(self, topic: Topic) -> int:
        """How many records the topic holds."""
        held = read_offsets(Settings.from_env().kafka, topic.name)
        return sum(part.end - part.start for part in held.values())


class Stream:
    """The Flink job."""

    def page_of(self, job_id: str) -> str:
        """The job's page in Flink's own console."""
        return f"{Settings.from_env().flink.rest_url}/#/job/{job_id}"

    def deploy(self, ruleset: str, *, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Make the job what rules, code and settings say; what was done, and what that did.

        An answer that tells of lost or doubled records is an answer, too.
        """
        named = ("--ruleset", ruleset) if ruleset else ()
        return ask("job", "deploy", *named, "--json", log=log, may_find_fault=True)


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

    def name(self) -> str:
        """The alias that is searched."""
        return Settings.from_env().elasticsearch.index


class Sinks:
    """The two sinks, as processes."""

    def run_elsewhere(self) -> bool:
        """Whether something else than the local stack runs them."""
        return Settings.from_env().stack.sinks_external

    def act(
        self, action: str, *names: str, log: Callable[[str], object]
    ) -> Sequence[Mapping[str, Any]]:
        """Start, stop or restart the named ones, else both; what was done to each."""
        reports: Sequence[Mapping[str, Any]]
        reports = ask("sink", action, *names, "--json", log=log)["sinks"]
        return reports

    def count_rows(self, *, log: Callable[[str], object]) -> Mapping[str, int]:
        """The rows of each table that the lakehouse sink fills; those that exist."""
        tables = ask("lake", "stats", "--json", log=log)["tables"]
        return {str(table["table"]): int(table["rows"]) for table in tables}


class Traffic:
    """Whatever sends transactions: the generator, or a file that is replayed."""

    def send(self, *words: str, log: Callable[[str], object]) -> Mapping[str, Any]:
        """Run a sending command to its end; its summary."""
        return ask(*words, log=log)
