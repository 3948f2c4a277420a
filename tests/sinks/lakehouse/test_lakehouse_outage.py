"""Catalog or store stop or fall silent: the watch names them in time, and a commit lands later."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil
import pytest
from decision_records import at, decision_blocks, decisions_table
from postgres_server import PASSWORD, Postgres, running_postgres
from s3_server import BUCKET, KEY_ID, SECRET, Store, running_s3

from orchestration.watching.glance import Trouble
from orchestration.watching.looking import LOOK_SECONDS, Lookout
from pipelines.errors import TransientError
from pipelines.settings import (
    ElasticsearchSettings,
    FlinkSettings,
    KafkaSettings,
    LakehouseSettings,
    Secret,
    Settings,
    StackSettings,
)
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

NOBODY = "127.0.0.1:1"
"""Refuses connections, so that the other servers cost a look nothing."""


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """Stopped and frozen here, so not one that is shared."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[Store]:
    with running_s3(tmp_path / "log") as store:
        yield store


@pytest.fixture
def settings(
    own_postgres: Postgres, own_s3: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The catalog in PostgreSQL, the files in a store, as the watch reads them."""
    chosen = Settings(
        stack=StackSettings(home=tmp_path),
        kafka=KafkaSettings(bootstrap_servers=NOBODY),
        flink=FlinkSettings(rest_url=f"http://{NOBODY}"),
        elasticsearch=ElasticsearchSettings(url=f"http://{NOBODY}"),
        lakehouse=LakehouseSettings(
            catalog_uri=own_postgres.create_database(),
            catalog_password=Secret(PASSWORD),
            warehouse=f"s3://{BUCKET}/lake",
            s3_endpoint=own_s3.endpoint,
            s3_access_key_id=KEY_ID,
            s3_secret_access_key=Secret(SECRET),
        ),
    )
    for name, value in chosen.to_env().items():
        monkeypatch.setenv(name, value)
    return chosen


def look() -> str | int:
    """The rows of the decisions, or why nothing is known of them; in time in any case."""
    begun = time.monotonic()
    lake = Lookout().look(datetime.now(UTC)).lake
    assert time.monotonic() - begun < LOOK_SECONDS + 1
    if isinstance(lake, Trouble):
        assert PASSWORD not in lake.sentence
        return lake.sentence
    return next(head.rows for head in lake if head.table == "decisions")


@contextmanager
def frozen(words: str) -> Iterator[None]:
    """A server that takes connections and never answers, as behind a network that swallows all."""
    known = psutil.process_iter(["cmdline"])
    (server,) = (one for one in known if words in " ".join(one.info["cmdline"] or ()))
    held = [server, *server.children(recursive=True)]
    for process in held:
        process.suspend()
    try:
        yield
    finally:
        for process in held:
            process.resume()


def test_outages_of_catalog_and_store_are_named_in_time_and_the_next_commit_lands(
    settings: Settings, own_postgres: Postgres, own_s3: Store
) -> None:
    with open_catalog(settings) as catalog, explained(settings):
        assert catalog is not None
        ledger = Ledger(decisions_table(catalog, "a"))
        ledger.commit(decision_blocks({}), at(1))
        assert look() == 1

        own_postgres.stop()
        assert f'server at "127.0.0.1", port {own_postgres.port} failed' in str(look())
        with pytest.raises(TransientError, match=r"does not answer: .*Connection refused"):
            ledger.commit(decision_blocks({}, offset=1), at(2))
        own_postgres.start()
        ledger.commit(decision_blocks({}, offset=1), at(2))
        assert look() == 2

        silent = f"({settings.lakehouse.catalog_uri}, {settings.lakehouse.warehouse}) did not"
        with frozen(f"postgres -D data -p {own_postgres.port}"):
            assert silent in str(look())
        assert look() == 2

        port = own_s3.endpoint.rpartition(":")[2]
        with frozen(f"moto.server -H 127.0.0.1 -p {port}"):
            assert silent in str(look())
            begun = time.monotonic()
            with pytest.raises(TransientError, match=r"cannot be used: .*NETWORK_CONNECTION"):
                ledger.commit(decision_blocks({}, offset=2), at(3))
            assert time.monotonic() - begun < 60
        ledger.commit(decision_blocks({}, offset=2), at(3))
        assert look() == 3
