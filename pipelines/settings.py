"""Settings: one frozen dataclass per outside system, read once, every fault in one error.

Where a value comes from, the later one wins:

1. the default written here, made for a laptop;
2. ``<stack home>/endpoints.toml``, written by ``fraudlake up``: the ports it chose;
3. ``fraudlake.toml`` in the working folder, or the file named by ``FRAUDLAKE_CONFIG``;
4. the environment: ``FRAUDLAKE_<SECTION>_<FIELD>``, such as ``FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS``.
"""

from __future__ import annotations

import os
import tomllib
import typing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pipelines.catalog_faults import find_catalog_faults
from pipelines.elasticsearch_faults import find_elasticsearch_faults
from pipelines.errors import SettingsError
from pipelines.hints import did_you_mean
from pipelines.topics import Topics, declare_topics

if typing.TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE = "FRAUDLAKE_CONFIG"
CONFIG_FILE = "fraudlake.toml"
ENDPOINTS_FILE = "endpoints.toml"

StateBackend = typing.Literal["hashmap", "rocksdb"]
PartitionBy = typing.Literal["day", "hour"]
SortBy = typing.Literal["card", "time"]


class Secret(str):
    """Text that never shows itself in logs, tracebacks or ``repr``; ``reveal`` gives it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def reveal(self) -> str:
        """The text itself, for the client that needs it."""
        return str.__str__(self)


NOT_SET = Secret("")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything Fraudlake can be told."""

    stack: StackSettings = field(default_factory=StackSettings)
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    flink: FlinkSettings = field(default_factory=FlinkSettings)
    elasticsearch: ElasticsearchSettings = field(default_factory=ElasticsearchSettings)
    kibana: KibanaSettings = field(default_factory=KibanaSettings)
    lakehouse: LakehouseSettings = field(default_factory=LakehouseSettings)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] = os.environ, *, cwd: Path | None = None
    ) -> Settings:
        """Read the files and the environment; raises SettingsError that lists every fault."""
        folder = Path.cwd() if cwd is None else cwd
        faults: list[str] = []
        config = _read_config(folder, environ, faults)
        stack = _section(StackSettings, {}, config, environ, faults)
        if not stack.home.is_absolute():
            stack = _with_home(stack, folder / stack.home)
        endpoints = _read_toml(stack.home / ENDPOINTS_FILE, faults)
        settings = cls(
            stack=stack,
            kafka=_section(KafkaSettings, endpoints, config, environ, faults),
            flink=_section(FlinkSettings, endpoints, config, environ, faults),
            elasticsearch=_section(ElasticsearchSettings, endpoints, config, environ, faults),
            kibana=_section(KibanaSettings, endpoints, config, environ, faults),
            lakehouse=_section(LakehouseSettings, endpoints, config, environ, faults),
        )
        faults += _unknown_names(config, environ)
        faults += find_elasticsearch_faults(settings.elasticsearch)
        faults += find_catalog_faults(settings.lakehouse)
        if faults:
            raise SettingsError("; ".join(faults))
        return settings

    def to_env(self) -> dict[str, str]:
        """The environment that makes ``from_env`` give these settings, for a child process.

        It holds the secrets in clear: hand it to a child, never write it down.
        """
        environ: dict[str, str] = {}
        for part in fields(self):
            section = getattr(self, part.name)
            for item in fields(section):
                value = getattr(section, item.name)
                text = value.reveal() if isinstance(value, Secret) else str(value)
                environ[f"FRAUDLAKE_{part.name}_{item.name}".upper()] = text
        return environ


_SECTIONS: tuple[type, ...] = (
    StackSettings,
    KafkaSettings,
    FlinkSettings,
    ElasticsearchSettings,
    KibanaSettings,
    LakehouseSettings,
)
_Section = TypeVar("_Section")


def _with_home(stack: StackSettings, home: Path) -> StackSettings:
    values = {item.name: getattr(stack, item.name) for item in fields(stack)}
    return StackSettings(**{**values, "home": home})


def _read_config(
    folder: Path, environ: Mapping[str, str], faults: list[str]
) -> dict[str, dict[str, Any]]:
    named = environ.get(CONFIG_VARIABLE)
    if named is None:
        return _read_toml(folder / CONFIG_FILE, faults)
    path = folder / named
    if not path.is_file():
        faults.append(f"{CONFIG_VARIABLE}={named}: no such file")
    return _read_toml(path, faults)


def _read_toml(path: Path, faults: list[str]) -> dict[str, dict[str, Any]]:
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{path} is not TOML: {error}")
        return {}
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    faults += [f"{path}: {name} must stand in a section" for name in content.keys() - tables.keys()]
    return tables


def _section(
    kind: type[_Section],
    endpoints: Mapping[str, Mapping[str, Any]],
    config: Mapping[str, Mapping[str, Any]],
    environ: Mapping[str, str],
    faults: list[str],
) -> _Section:
    section: str = kind.section  # type: ignore[attr-defined]
    types = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        variable = f"FRAUDLAKE_{section}_{item.name}".upper()
        raw: Any = None
        for source, found in (
            (f"endpoints {section}.{item.name}", endpoints.get(section, {}).get(item.name)),
            (f"{section}.{item.name}", config.get(section, {}).get(item.name)),
            (variable, environ.get(variable)),
        ):
            if found is not None:
                origin, raw = source, found
        if raw is None:
            continue
        try:
            values[item.name] = _convert(types[item.name], raw)
        except ValueError as error:
            shown = "***" if types[item.name] is Secret else repr(raw)
            faults.append(f"{origin}={shown}: {error}")
    return kind(**values)


def _convert(wanted: Any, raw: Any) -> Any:
    """``raw``, a TOML value or text from the environment, as the field's type."""
    if typing.get_origin(wanted) is typing.Literal:
        allowed = typing.get_args(wanted)
        if raw not in allowed:
            msg = f"must be one of {', '.join(allowed)}"
            raise ValueError(msg)
        return raw
    if wanted is bool:
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(raw).lower() not in known:
            msg = "must be true or false"
            raise ValueError(msg)
        return known[str(raw).lower()]
    if wanted in (int, float):
        return _convert_number(wanted, raw)
    return wanted(raw)


def _convert_number(wanted: type, raw: Any) -> Any:
    try:
        number = wanted(raw)
    except (TypeError, ValueError) as error:
        msg = f"must be a number ({wanted.__name__})"
        raise ValueError(msg) from error
    if number <= 0:
        msg = "must be above 0"
        raise ValueError(msg)
    return number


def _unknown_names(
    config: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]
) -> list[str]:
    known = {kind.section: {item.name for item in fields(kind)} for kind in _SECTIONS}  # type: ignore[attr-defined]
    faults = [
        f"{CONFIG_FILE}: unknown section [{section}]{did_you_mean(section, set(known))}"
        for section in config
        if section not in known
    ]
    faults += [
        f"{CONFIG_FILE}: unknown setting {section}.{name}{did_you_mean(name, known[section])}"
        for section, table in config.items()
        for name in table
        if section in known and name not in known[section]
    ]
    variables = {
        f"FRAUDLAKE_{section}_{name}".upper() for section, names in known.items() for name in names
    }
    prefixes = tuple(f"FRAUDLAKE_{section.upper()}_" for section in known)
    faults += [
        f"unknown variable {name}{did_you_mean(name, variables)}"
        for name in environ
        if name.startswith(prefixes) and name not in variables
    ]
    return faults
