"""Settings: one frozen dataclass per outside system, read once, every fault in one error.

Where a value comes from, the later one wins:

1. the default written here, made for a laptop;
2. ``<stack home>/endpoints.toml``, written by ``fraudlake up``: the ports it chose;
3. ``fraudlake.toml`` in the working folder, or the file named by ``FRAUDLAKE_CONFIG``;
4. the environment: ``FRAUDLAKE_<SECTION>_<FIELD>``, such as ``FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import SettingsError
from pipelines.settings.catalog_faults import find_catalog_faults
from pipelines.settings.elasticsearch_faults import find_elasticsearch_faults
from pipelines.settings.kibana_faults import find_kibana_faults
from pipelines.settings.reading import (
    CONFIG_FILE,
    CONFIG_VARIABLE,
    find_unknown_names,
    read_config,
    read_section,
    read_toml,
)
from pipelines.settings.secret import NOT_SET, Secret
from pipelines.settings.sections import (
    ElasticsearchSettings,
    FlinkSettings,
    KafkaSettings,
    KibanaSettings,
    LakehouseSettings,
    PartitionBy,
    SortBy,
    StackSettings,
    StateBackend,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONFIG_FILE",
    "CONFIG_VARIABLE",
    "ENDPOINTS_FILE",
    "NOT_SET",
    "ElasticsearchSettings",
    "FlinkSettings",
    "KafkaSettings",
    "KibanaSettings",
    "LakehouseSettings",
    "PartitionBy",
    "Secret",
    "Settings",
    "SortBy",
    "StackSettings",
    "StateBackend",
]

ENDPOINTS_FILE = "endpoints.toml"


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
        config = read_config(folder, environ, faults)
        stack = read_section(StackSettings, {}, config, environ, faults)
        if not stack.home.is_absolute():
            stack = _with_home(stack, folder / stack.home)
        endpoints = read_toml(stack.home / ENDPOINTS_FILE, faults)
        settings = cls(
            stack=stack,
            kafka=read_section(KafkaSettings, endpoints, config, environ, faults),
            flink=read_section(FlinkSettings, endpoints, config, environ, faults),
            elasticsearch=read_section(ElasticsearchSettings, endpoints, config, environ, faults),
            kibana=read_section(KibanaSettings, endpoints, config, environ, faults),
            lakehouse=read_section(LakehouseSettings, endpoints, config, environ, faults),
        )
        faults += find_unknown_names(config, environ)
        faults += find_elasticsearch_faults(settings.elasticsearch)
        faults += find_kibana_faults(settings.kibana)
        faults += find_catalog_faults(settings.lakehouse)
        if faults:
            raise SettingsError("; ".join(faults))
        return settings

    @property
    def job_group(self) -> str:
        """The name under which the job reads Kafka: no other pipeline on that Kafka has it.

        Its consumer group, its transactions and what is remembered of it are named so.
        """
        return f"{self.kafka.topic_prefix}{self.flink.job_name}"

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


def _with_home(stack: StackSettings, home: Path) -> StackSettings:
    values = {item.name: getattr(stack, item.name) for item in fields(stack)}
    return StackSettings(**{**values, "home": home})
