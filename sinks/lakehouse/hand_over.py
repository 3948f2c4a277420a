"""The sink's work as a Flink job, for when one writer no longer suffices: its SQL, ready to run.

Columns and features are those of the tables as they are, and each topic is read from exactly where
its table ends. Secrets are left out, with a line that says where they go.
"""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from pipelines.errors import SinkError
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.position import Position, restore
from sinks.lakehouse.properties import is_rest
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.tables import DECISIONS, FEATURES, TABLES, feature_names

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from pipelines.settings import LakehouseSettings, Settings

_GROUP = "fraudlake-lakehouse-flink"


def render_flink_job(settings: Settings) -> str:
    """The script; SinkError if the catalog is one that Flink cannot use, or has no tables yet.

    The sink must have been stopped before: what it stores afterwards would be stored twice.
    """
    lakehouse = settings.lakehouse
    catalog_lines = _catalog(lakehouse)
    with open_catalog(settings, writable=False) as catalog, explained(settings):
        values = {"namespace": lakehouse.namespace, "catalog": _options(catalog_lines)}
        for one in TABLES:
            identifier = (lakehouse.namespace, one.name)
            if catalog is None or not catalog.table_exists(identifier):
                msg = (
                    f"there is no table {'.'.join(identifier)} yet; `fraudlake sink lakehouse` "
                    "makes it"
                )
                raise SinkError(msg)
            table = catalog.load_table(identifier)
            topic = getattr(settings.kafka.topics(), one.name).name
            values[f"{one.name}_topic"] = _topic(settings, topic, restore(table))
            columns = [column.name for column in one.columns]
            if one is DECISIONS and feature_names(table.schema()):
                columns.append(FEATURES)
            values[f"{one.name}_columns"] = ", ".join(f"`{name}`" for name in columns)
            if one is DECISIONS:
                values["features"] = _features(table)
    text = resources.files(__package__).joinpath("hand_over.sql").read_text()
    return Template(text).substitute(values)


def _catalog(lakehouse: LakehouseSettings) -> dict[str, str]:
    options = {"type": "iceberg"}
    uri = lakehouse.catalog_uri
    if is_rest(lakehouse):
        options |= {"catalog-type": "rest", "uri": uri}
        if lakehouse.catalog_token.reveal() != "":
            options["token"] = _secret("CATALOG_TOKEN")
        elif lakehouse.catalog_credential.reveal() != "":
            options["credential"] = _secret("CATALOG_CREDENTIAL")
    elif uri.startswith("postgresql"):
        url = make_url(uri)
        options |= {
            "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
            "uri": f"jdbc:postgresql://{url.host}:{url.port or 5432}/{url.database}",
            "jdbc.user": url.username or "",
            "jdbc.password": _secret("CATALOG_PASSWORD"),
            "jdbc.schema-version": "V1",
        }
    else:
        msg = (
            "Flink cannot share a catalog in SQLite: set FRAUDLAKE_LAKEHOUSE_CATALOG_URI to a REST "
            "catalog or to PostgreSQL (docs/catalogs.md says how tables move there)"
        )
        raise SinkError(msg)
    if lakehouse.warehouse != "":
        options["warehouse"] = lakehouse.warehouse
    if lakehouse.warehouse.startswith("s3://"):
        options["io-impl"] = "org.apache.iceberg.aws.s3.S3FileIO"
    if lakehouse.s3_endpoint != "":
        options |= {"s3.endpoint": lakehouse.s3_endpoint, "s3.path-style-access": "true"}
    if lakehouse.s3_region != "" or lakehouse.s3_endpoint != "":
        options["client.region"] = lakehouse.s3_region or "us-east-1"
    if lakehouse.s3_access_key_id != "":
        options["s3.access-key-id"] = lakehouse.s3_access_key_id
        options["s3.secret-access-key"] = _secret("S3_SECRET_ACCESS_KEY")
    return options


def _secret(name: str) -> str:
    return f"<the value of FRAUDLAKE_LAKEHOUSE_{name}>"


def _topic(settings: Settings, topic: str, position: Position | None) -> str:
    start = {"scan.startup.mode": "earliest-offset"}
    if position is not None:
        places = (f"partition:{at},offset:{end}" for at, end in position.next_offsets.items())
        start = {
            "scan.startup.mode": "specific-offsets",
            "scan.startup.specific-offsets": ";".join(places),
        }
    options = {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": settings.kafka.bootstrap_servers,
        "properties.group.id": f"{_GROUP}-{settings.lakehouse.namespace}",
        # What the job has not committed is not there yet.
        "properties.isolation.level": "read_committed",
        **start,
    }
    return _options(options) + ","


def _features(table: Table) -> str:
    names = feature_names(table.schema())
    if not names:
        return ""
    values = ",\n".join(
        f"        CAST(JSON_VALUE(`value`, '$.features.{name}') AS DOUBLE)" for name in names
    )
    types = ", ".join(f"`{name}` DOUBLE" for name in names)
    return f",\n    CAST(ROW(\n{values}\n    ) AS ROW<{types}>)"


def _options(options: dict[str, str]) -> str:
    return ",\n".join(f"    {_quote(name)} = {_quote(value)}" for name, value in options.items())


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
