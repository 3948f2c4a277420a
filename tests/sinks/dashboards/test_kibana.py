"""What is sent over the wire, how long the client goes on, and what it says when it gives up."""

from __future__ import annotations

import base64
import dataclasses
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from kibana_stub import GONE, KibanaStub, running_stub

from pipelines.errors import SettingsError, SinkError, TransientError
from pipelines.settings import KibanaSettings, Secret
from sinks.dashboards.kibana import TRIES, Kibana

if TYPE_CHECKING:
    from pathlib import Path

DASHBOARD: dict[str, object] = {"title": "One", "panels": []}
PATH = "/api/dashboards/one"


def connect(url: str, **more: Any) -> Kibana:
    return Kibana(KibanaSettings(url=url, **more), sleep=lambda _: None)


def test_write_carries_the_headers_that_kibana_asks_for(stub: KibanaStub) -> None:
    connect(stub.url).write("PUT", PATH, DASHBOARD)

    (asked,) = stub.asked
    assert (asked.method, asked.path, asked.body) == ("PUT", PATH, DASHBOARD)
    assert asked.headers["kbn-xsrf"] == "true"
    assert asked.headers["elastic-api-version"] == "2023-10-31"
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"api_key": Secret("a2V5")}, "ApiKey a2V5"),
        (
            {"username": "ann", "password": Secret("pä:ss")},
            "Basic " + base64.b64encode("ann:pä:ss".encode()).decode(),
        ),
    ],
)
def test_credentials_go_into_the_header_and_nowhere_else(
    stub: KibanaStub, more: dict[str, Any], expected: str
) -> None:
    settings = KibanaSettings(url=stub.url, **more)
    Kibana(settings).read(PATH)

    assert stub.asked[0].headers["authorization"] == expected
    assert "a2V5" not in repr(settings)
    assert "ss" not in repr(settings).split("password")[1].split(",")[0]


def test_space_stands_before_the_path() -> None:
    with running_stub(space="fraud team") as stub:
        stub.space = "fraud%20team"
        connect(stub.url + "/", space="fraud team").write("PUT", PATH, DASHBOARD)

    assert [one.path for one in stub.asked] == [f"/s/fraud%20team{PATH}"]


def test_what_is_not_there_reads_as_none(stub: KibanaStub) -> None:
    assert connect(stub.url).read(PATH) is None


@pytest.mark.parametrize("code", [200, 404])
def test_server_that_is_not_kibana_is_not_taken_for_an_empty_one(code: int) -> None:
    """Any web server answers 404 to a path it does not know: nothing must be "missing" then."""
    with (
        running_stub(page=(code, b"<html>Welcome</html>")) as stub,
        pytest.raises(SinkError, match=r"is not Kibana's API: .*Check FRAUDLAKE_KIBANA_URL"),
    ):
        connect(stub.url).read(PATH)


@pytest.mark.parametrize("code", [429, 502, 503, 504, GONE])
def test_busy_kibana_is_asked_again(
    stub: KibanaStub, kibana: Kibana, waits: list[float], code: int
) -> None:
    stub.faults = [(code, {})] * 2
    kibana.write("PUT", PATH, DASHBOARD)

    assert stub.writes() == [f"PUT {PATH}"] * 3
    assert stub.stored["dashboards/one"]["title"] == "One"
    assert len(waits) == 2
    assert 0.1 <= waits[0] <= 0.2 <= waits[1] <= 0.4


def test_kibana_that_says_how_long_is_given_that_long(
    stub: KibanaStub, kibana: Kibana, waits: list[float]
) -> None:
    stub.faults = [(429, {"Retry-After": "7"}), (429, {"Retry-After": "86400"})]
    kibana.write("PUT", PATH, DASHBOARD)

    assert waits == [7.0, 30.0]


def test_kibana_that_stays_busy_is_given_up(stub: KibanaStub, kibana: Kibana) -> None:
    stub.faults = [(503, {})] * 100
    with pytest.raises(TransientError, match=r"is busy \(503 a fault\); try again"):
        kibana.read(PATH)

    assert len(stub.asked) == TRIES


def test_kibana_that_is_away_is_named(settings: Any, waits: list[float]) -> None:
    with running_stub() as stub:
        url = stub.url
    with pytest.raises(TransientError, match=rf"Kibana at {url} does not answer: .*refused"):
        Kibana(dataclasses.replace(settings.kibana, url=url), sleep=waits.append).read(PATH)

    assert len(waits) == TRIES - 1


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (401, r"does not know us \(401 a fault\)\. Check FRAUDLAKE_KIBANA_API_KEY"),
        (403, r"forbids PUT /api/dashboards/one \(403 a fault\)\. The user needs all rights"),
        (400, r"refuses PUT /api/dashboards/one \(400 a fault\)"),
        (302, r"refuses PUT /api/dashboards/one \(302 a fault\)"),
        (404, r"knows no PUT /api/dashboards/one\. Dashboards need Kibana 9\.5"),
    ],
)
def test_refusal_says_what_to_do_and_is_not_repeated(
    stub: KibanaStub, kibana: Kibana, code: int, sentence: str
) -> None:
    stub.faults = [(code, {"Location": "http://127.0.0.1:9/"} if code == 302 else {})]
    with pytest.raises(SinkError, match=sentence):
        kibana.write("PUT", PATH, DASHBOARD)

    assert len(stub.asked) == 1


def test_key_is_not_carried_to_where_a_redirect_points(stub: KibanaStub) -> None:
    with running_stub() as elsewhere:
        stub.faults = [(302, {"Location": elsewhere.url + PATH})]
        with pytest.raises(SinkError, match=r"refuses GET /api/dashboards/one \(302 a fault\)"):
            connect(stub.url, api_key=Secret("a2V5")).read(PATH)

    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"url": "kibana:5601"}, r"must be http\(s\)://host"),
        ({"url": ""}, "no Kibana is named: set FRAUDLAKE_KIBANA_URL"),
        ({"url": "http://kibana:port"}, r"must be http\(s\)://host"),
        ({"url": "https://ann:secret@kibana"}, "user and password have settings of their own"),
        ({"username": "ann", "api_key": Secret("k")}, "are both set: keep one of them"),
        ({"ca_certificate": "/no/such.pem"}, r"FRAUDLAKE_KIBANA_CA_CERTIFICATE=/no/such\.pem"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_asked(
    more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        Kibana(KibanaSettings(**{"url": "http://kibana", **more}))
    assert "secret" not in str(caught.value)


def test_certificate_must_be_of_the_named_authority(tmp_path: Path) -> None:
    pem = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with running_stub(tls=context) as stub:
        with pytest.raises(SinkError, match="Name its authority in FRAUDLAKE_KIBANA_CA_CERT"):
            connect(stub.url).read(PATH)
        connect(stub.url, ca_certificate=str(pem)).write("PUT", PATH, DASHBOARD)

    assert stub.writes() == [f"PUT {PATH}"]


def make_certificate(folder: Path) -> Path:
    """Key and certificate of ``localhost``, its own authority, in one file."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both
