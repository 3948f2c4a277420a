"""One section for each outside system: what can be set, and what it is unless somebody says so."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipelines.settings.secret import NOT_SET, Secret
from pipelines.topics import Topics, declare_topics

StateBackend = typing.Literal["hashmap", "rocksdb"]
PartitionBy = typing.Literal["day", "hour"]
SortBy = typing.Literal["card", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """The local stack of real servers: where it lives and how much it may use."""

    section: ClassVar[str] = "stack"

    home: Path = Path(".fraudlake")
    """Data and logs of the local servers."""
    kafka_port: int = 9092
    kafka_controller_port: int = 9093
    flink_port: int = 8081
    flink_rpc_port: int = 6123
    elasticsearch_port: int = 9200
    elasticsearch_transport_port: int = 9300
    dagster_port: int = 3000
    jobmanager_metrics_port: int = 9249
    taskmanager_metrics_port: int = 9250
    """Ports to prefer; one that is taken is replaced by a free one, unless ``strict_ports``."""
    strict_ports: bool = False
    kafka_heap_mb: int = 512
    elasticsearch_heap_mb: int = 512
    jobmanager_memory_mb: int = 1024
    taskmanager_memory_mb: int = 2048
    taskmanagers: int = 1
    taskmanager_slots: int = 2
    sinks_external: bool = False
    """True: the sinks run elsewhere, as containers do; ``fraudlake up`` starts none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """The broker, and how topics are named and split there."""

    section: ClassVar[str] = "kafka"

    bootstrap_servers: str = "127.0.0.1:9092"
    topic_prefix: str = ""
    partitions: int = 4
    external: bool = False
    """True: the broker runs elsewhere; ``fraudlake up`` starts none."""
    transaction_timeout_s: int = 840
    """How long everything may be down before what was written and not committed is lost; at most
    the broker's ``transaction.max.timeout.ms``, which is 900 s unless somebody has raised it."""

    def topics(self) -> Topics:
        """The topics of this pipeline."""
        return declare_topics(prefix=self.topic_prefix, partitions=self.partitions)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkSettings:
    """The Flink cluster, and how the job runs on it."""

    section: ClassVar[str] = "flink"

    rest_url: str = "http://127.0.0.1:8081"
    external: bool = False
    job_name: str = "fraud-detection"
    ruleset: str = "baseline"
    """A shipped rule set by name, or the path of a file of your own."""
    parallelism: int = 2
    state_backend: StateBackend = "rocksdb"
    checkpoint_interval_ms: int = 1000
    alert_window_h: int = 24
    """Flagged decisions of a card within so many hours of event time belong to one alert."""
    checkpoint_dir: str = ""
    """Where checkpoints and savepoints go; empty: ``<stack home>/flink``."""
    python: str = ""
    """The interpreter that has apache-flink; empty: ``.venv-flink`` beside the project."""
    page_url: str = ""
    """Where a browser finds Flink's own pages; empty: at ``rest_url``."""

    def page_of(self, job_id: str) -> str:
        """The job's page."""
        return f"{self.page_url or self.rest_url}/#/job/{job_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchSettings:
    """The alert index."""

    section: ClassVar[str] = "elasticsearch"

    url: str = "http://127.0.0.1:9200"
    external: bool = False
    index: str = "fraud-alerts"
    """The alias searched, and the stem of the monthly indices behind it."""
    keep_months: int = 13
    """`fraudlake alerts expire` deletes months whose alerts are all older, and closed."""
    username: str = ""
    password: Secret = NOT_SET
    api_key: Secret = NOT_SET
    """Instead of user and password: as Elasticsearch gives it out, encoded."""
    ca_certificate: str = ""
    """A file with the certificate of the authority that signed the server's, if no public one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KibanaSettings:
    """Where the dashboards are published, and when the alerting rules call somebody."""

    section: ClassVar[str] = "kibana"

    url: str = ""
    """With its base path, if it has one; empty: there is no Kibana."""
    space: str = ""
    """Kibana's space; empty: the default one."""
    username: str = ""
    password: Secret = NOT_SET
    api_key: Secret = NOT_SET
    ca_certificate: str = ""
    critical_minutes: int = 15
    """A blocked card's alert that nobody has taken for so long calls somebody."""
    spike_alerts: int = 200
    """So do more new alerts than this in five minutes."""
    silence_minutes: int = 10
    """So does no new alert for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakehouseSettings:
    """The Iceberg catalog and the sink's commit cadence."""

    section: ClassVar[str] = "lakehouse"

    catalog_uri: str = ""
    """``postgresql://user@host/database``, ``sqlite:///file``, or the ``https://...`` of an Iceberg
    REST catalog; empty: SQLite under ``<stack home>/lakehouse``."""
    catalog_password: Secret = NOT_SET
    """Of the user in a PostgreSQL address; never in the address itself, because it is shown."""
    catalog_token: Secret = NOT_SET
    catalog_credential: Secret = NOT_SET
    """For a REST catalog, one of both: a bearer token, or ``id:secret`` to get one with."""
    catalog_oauth2_uri: str = ""
    """Where to get it; empty: at the REST catalog itself."""
    catalog_scope: str = ""
    """What to ask for when getting it; empty: ``catalog``."""
    warehouse: str = ""
    """Where table files go, a folder or ``s3://bucket/folder``; empty: a folder under ``<stack
    home>/lakehouse``. For a REST catalog: the warehouse's name there."""
    s3_endpoint: str = ""
    """The address of a store that is not Amazon's."""
    s3_region: str = ""
    s3_access_key_id: str = ""
    s3_secret_access_key: Secret = NOT_SET
    """Empty: as the AWS tools find them, in the environment or from the machine's role."""
    namespace: str = "fraud"
    commit_seconds: float = 10.0
    commit_rows: int = 250_000
    commit_bytes: int = 134_217_728
    partition_by: PartitionBy = "day"
    """How new tables are split: hours from about 300 transactions a second on."""
    sort_by: SortBy = "card"
    """How compaction sorts decisions and labels: for the history of a card, or in time, which
    takes a third less room."""
    target_file_mb: int = 128
    closed_after_h: int = 6
    """A day or hour is compacted when it has ended so long ago."""
    keep_snapshots: int = 100
    """So many of the newest states of each table can still be asked for."""
    keep_snapshots_h: int = 24
    """Before them, the state at each full hour of so many hours can be, too."""
    sweep_after_h: int = 72
    """A file that belongs to no snapshot is deleted when it is so old."""
    sql_memory_mb: int = 2048
    """What questions may hold in memory; the rest goes to disk, in the stack's home."""


SECTIONS: tuple[type, ...] = (
    StackSettings,
    KafkaSettings,
    FlinkSettings,
    ElasticsearchSettings,
    KibanaSettings,
    LakehouseSettings,
)
