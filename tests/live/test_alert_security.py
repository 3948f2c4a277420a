"""The alert index with Elasticsearch's own security: TLS, users, and no more rights than needed."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alert_runs import (
    alert_id,
    await_caught_up,
    await_true,
    make_alert,
    remove_index,
    running,
    running_process,
    send,
)
from elasticsearch import ApiError
from elasticsearch_security import USERS, SecuredElasticsearch, running_secured_elasticsearch

import sinks.alerts.run as sink
from fraudlake.stack.status import read_status
from pipelines.errors import FraudlakeError, SettingsError, SinkError
from pipelines.settings import Secret
from sinks.alerts.client import connect
from sinks.alerts.retention import expire_months
from sinks.alerts.search import (
    Wanted,
    count_documents,
    list_alerts,
    read_index_count,
    read_origins,
)
from sinks.alerts.template import apply_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

MONTH = "fraud-alerts-2026.11"


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredElasticsearch]:
    with running_secured_elasticsearch() as running:
        yield running


@pytest.fixture
def as_user(settings: Settings, secured: SecuredElasticsearch) -> Iterator[Any]:
    """Settings of one user of the secured index; what the test wrote there is removed."""

    def of(user: str) -> Settings:
        return dataclasses.replace(settings, elasticsearch=secured.settings_of(user))

    yield of
    admin = of("fraudlake_admin")
    with connect(admin.elasticsearch) as client:
        remove_index(client, "fraud-alerts")


def run_command(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fraudlake.cli", *words],
        env={**os.environ, **settings.to_env()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def command_lines() -> str:
    """Of every process of the machine."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return "\n".join(lines)


def test_sink_writes_with_its_own_user_once_the_admin_has_put_the_template_in_place(
    as_user: Any, tmp_path: Path
) -> None:
    settings = as_user("fraudlake_sink")
    send(settings, *(make_alert(number, 1) for number in range(20)))
    with pytest.raises(SinkError, match=r"template fraud-alerts is missing, and this user may not"):
        sink.run(settings, stop=threading.Event())

    assert apply_template(as_user("fraudlake_admin")) == "created"
    with running_process(settings, tmp_path / "sink.log"):
        await_caught_up(settings)
        seen = command_lines()

    reader = as_user("fraudlake_reader")
    await_true(lambda: read_index_count(reader) == 20, "20 alerts for the reader")
    cards = {one.card_id for one in list_alerts(reader, Wanted(band="block"), limit=100).alerts}
    assert cards == {f"card-{number}" for number in range(20)}
    log = (tmp_path / "sink.log").read_text()
    assert "event=started" in log
    assert "sink alerts" in seen.replace("\0", " ")
    for text in (log, seen, repr(settings), str(settings), f"{settings.elasticsearch}"):
        assert_no_secret(settings, text)


def assert_no_secret(settings: Settings, text: str) -> None:
    user, password = settings.elasticsearch.username, settings.elasticsearch.password.reveal()
    assert password not in text
    assert base64.b64encode(f"{user}:{password}".encode()).decode() not in text


def test_template_of_another_release_stops_a_sink_that_may_not_change_it(as_user: Any) -> None:
    apply_template(as_user("fraudlake_admin"))
    with connect(as_user("fraudlake_admin").elasticsearch) as admin:
        admin.indices.put_index_template(name="fraud-alerts", index_patterns=["fraud-alerts-2*.*"])

    with pytest.raises(SinkError, match=r"is not the one of this release.*alerts apply.*_admin"):
        sink.run(as_user("fraudlake_sink"), stop=threading.Event())


@pytest.fixture
def filled(as_user: Any) -> Any:
    """The same settings, with an alert in the index."""
    apply_template(as_user("fraudlake_admin"))
    settings = as_user("fraudlake_sink")
    send(settings, make_alert(0, 1))
    with running(settings):
        await_caught_up(settings)
    # The reader may not ask for a refresh.
    reader = as_user("fraudlake_reader")
    await_true(lambda: read_index_count(reader) == 1, "the alert for a search")
    return as_user


def test_reader_reads_and_is_told_that_it_may_not_write(filled: Any) -> None:
    reader, investigator = filled("fraudlake_reader"), filled("fraudlake_investigator")

    listed = run_command(reader, "alerts", "list", "--json")
    assert [one["event"]["id"] for one in json.loads(listed.stdout)] == [alert_id(0)]
    shown = run_command(reader, "alerts", "show", alert_id(0), "--json")
    assert json.loads(shown.stdout)["case"]["status"] == "open"

    refused = run_command(reader, "alerts", "note", alert_id(0), "called", "--by", "kim")
    assert refused.returncode != 0
    assert "forbids this" in refused.stderr
    assert "roles.yml" in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert_no_secret(reader, refused.stderr + refused.stdout)

    written = run_command(investigator, "alerts", "note", alert_id(0), "called", "--by", "kim")
    assert written.returncode == 0, written.stderr
    shown = run_command(investigator, "alerts", "show", alert_id(0), "--json")
    assert json.loads(shown.stdout)["case"]["notes"][0]["text"] == "called"


def test_each_role_does_its_work_on_a_month_that_was_built_anew(filled: Any) -> None:
    """Its index has another name than that of a month, and once stood outside of every role."""
    admin, sink_settings = filled("fraudlake_admin"), filled("fraudlake_sink")
    investigator, reader = filled("fraudlake_investigator"), filled("fraudlake_reader")

    rebuilt = run_command(admin, "alerts", "apply", "--reindex", "--month", "2026.11")

    assert rebuilt.returncode == 0, rebuilt.stderr + rebuilt.stdout
    with connect(admin.elasticsearch) as client:
        assert list(client.indices.get(index="fraud-alerts-*")) == ["fraud-alerts-r2.2026.11"]
    send(sink_settings, make_alert(0, 2), make_alert(1, 1))
    with running(sink_settings):
        await_caught_up(sink_settings)
    noted = run_command(investigator, "alerts", "note", alert_id(1), "called", "--by", "kim")
    assert noted.returncode == 0, noted.stderr
    await_true(lambda: read_index_count(reader) == 2, "both alerts for the reader")
    listed = {one.alert_id: one for one in list_alerts(reader, Wanted(), limit=9).alerts}
    assert [note.text for note in listed[alert_id(1)].case.notes] == ["called"]
    assert sorted(one for one, _ in read_origins(reader)) == [alert_id(0), alert_id(1)]
    assert sum(count_documents(reader, [alert_id(0), alert_id(1)]).values()) == 2
    shown = run_command(reader, "dashboards", "show", "queue", "--json")
    assert shown.returncode == 0, shown.stderr
    assert "forbids" not in shown.stderr
    assert any(panel.get("total") is not None for panel in json.loads(shown.stdout))
    # Nothing is that old yet, for it is the newest; so it is looked at, and stays.
    expiry = expire_months(admin, today=date(2028, 1, 1), keep_months=1)
    assert expiry.deleted == ()
    with connect(admin.elasticsearch) as client:
        closed = {"case": {"status": "closed"}}
        for number in (0, 1):
            client.update(index="fraud-alerts-2026.11", id=alert_id(number), doc=closed)
    send(sink_settings, make_alert(2, 1, opened_at="2027-12-01T10:00:00.000Z"))
    with running(sink_settings):
        await_caught_up(sink_settings)
    expiry = expire_months(admin, today=date(2028, 1, 1), keep_months=1)
    assert expiry.deleted == ("fraud-alerts-r2.2026.11",)


def test_each_role_may_do_its_work_and_nothing_else(filled: Any) -> None:
    with contextlib.ExitStack() as opened:
        clients = {
            user: opened.enter_context(connect(filled(user).elasticsearch)) for user in USERS
        }
        with pytest.raises(ApiError, match="403"):
            clients["fraudlake_admin"].indices.create(index="payroll")
        edit = {"case": {"reason": "x"}}
        attempts: dict[str, Callable[[Elasticsearch], object]] = {
            "search": lambda client: client.search(index="fraud-alerts"),
            "get": lambda client: client.get(index=MONTH, id=alert_id(0)),
            "update": lambda client: client.update(index=MONTH, id=alert_id(0), doc=edit),
            "make a month": lambda client: client.indices.create(index="fraud-alerts-2026.12"),
            "delete an alert": lambda client: client.delete(index=MONTH, id="none"),
            "delete a month": lambda client: client.indices.delete(index=MONTH),
            "change the mapping": lambda client: client.indices.put_mapping(
                index=MONTH, properties={"more": {"type": "keyword"}}
            ),
            "change the template": lambda client: client.indices.put_index_template(
                name="fraud-alerts", index_patterns=["fraud-alerts-2*.*"]
            ),
            "write elsewhere": lambda client: client.index(index="payroll", document={"a": 1}),
            "search elsewhere": lambda client: client.search(index=".security,payroll"),
            "make a month built anew": lambda client: client.indices.create(
                index="fraud-alerts-r2.2026.12"
            ),
            "write to another index of ours": lambda client: client.index(
                index="fraud-alerts-retail-2026.11", document={"a": 1}
            ),
        }
        allowed = {
            user: {name for name, attempt in attempts.items() if is_allowed(attempt, client)}
            for user, client in clients.items()
            if user != "fraudlake_admin"
        }
    # Elasticsearch lets whoever may index documents add fields to the mapping, too.
    assert allowed == {
        "fraudlake_sink": {"update", "make a month", "change the mapping"},
        "fraudlake_investigator": {"search", "get", "update", "change the mapping"},
        "fraudlake_reader": {"search", "get"},
    }


def is_allowed(attempt: Callable[[Elasticsearch], object], client: Elasticsearch) -> bool:
    try:
        attempt(client)
    except ApiError as error:
        # Found missing, or there already: then it was allowed to look.
        return error.status_code != 403
    return True


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        ("wrong password", SinkError, "does not know us .*unable to authenticate.*_PASSWORD"),
        ("no user", SinkError, "does not know us .*missing authentication.*_USERNAME"),
        ("no authority", SinkError, "not trusted: .*_CA_CERTIFICATE"),
        ("another authority", SinkError, "not trusted: .*_CA_CERTIFICATE"),
        ("another host", SinkError, "made out to another host: .*localhost.*_URL"),
        ("no such file", SettingsError, "_CA_CERTIFICATE=.*No such file.*PEM"),
    ],
)
def test_wrong_access_is_a_sentence_and_stops_the_sink(
    as_user: Any,
    secured: SecuredElasticsearch,
    fault: str,
    kind: type[FraudlakeError],
    sentence: str,
) -> None:
    settings = as_user("fraudlake_sink")
    changes: dict[str, dict[str, Any]] = {
        "wrong password": {"password": Secret("not-the-one")},
        "no user": {"username": "", "password": Secret("")},
        "no authority": {"ca_certificate": ""},
        "another authority": {"ca_certificate": str(secured.other_authority)},
        "another host": {"url": secured.server.url.replace("127.0.0.1", "localhost")},
        "no such file": {"ca_certificate": "/nowhere/ca.crt"},
    }
    wrong = dataclasses.replace(settings.elasticsearch, **changes[fault])
    with pytest.raises(kind, match=sentence) as caught:
        sink.run(dataclasses.replace(settings, elasticsearch=wrong), stop=threading.Event())
    assert_no_secret(settings, str(caught.value))
    assert "not-the-one" not in str(caught.value)


def test_status_and_doctor_know_a_secured_index(as_user: Any, tmp_path: Path) -> None:
    for user in ("fraudlake_sink", "fraudlake_reader"):
        found = ask_doctor(as_user(user))
        assert found["level"] == "ok", found
        assert "answers" in found["detail"]
    settings = as_user("fraudlake_sink")
    # A home of its own: that of the stack names the stack's Elasticsearch.
    stack = dataclasses.replace(settings.stack, home=tmp_path)
    settings = dataclasses.replace(settings, stack=stack)
    assert index_state(settings) == "running"
    elasticsearch = settings.elasticsearch

    locked_out = dataclasses.replace(elasticsearch, password=Secret("not-the-one"))
    found = ask_doctor(dataclasses.replace(settings, elasticsearch=locked_out))
    assert found["level"] == "missing"
    assert "does not know us" in found["detail"]

    distrusted = dataclasses.replace(
        settings, elasticsearch=dataclasses.replace(elasticsearch, ca_certificate="")
    )
    assert "not trusted" in ask_doctor(distrusted)["detail"]
    assert index_state(distrusted) == "not answering"


def ask_doctor(settings: Settings) -> dict[str, str]:
    ended = run_command(settings, "doctor", "--json")
    assert_no_secret(settings, ended.stdout + ended.stderr)
    checks = json.loads(ended.stdout)["checks"]
    (found,) = [check for check in checks if check["what"] == "Elasticsearch"]
    return dict(found)


def index_state(settings: Settings) -> str:
    parts = read_status(settings).parts
    (found,) = [part for part in parts if part.name == "elasticsearch" and part.is_external]
    return found.state
