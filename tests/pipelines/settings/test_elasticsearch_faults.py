"""Settings of the alert index that contradict each other: a sentence each, without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings

PREFIX = "FRAUDLAKE_ELASTICSEARCH_"
HTTPS = {"URL": "https://search.example:9200"}
USER = {"USERNAME": "fraudlake_sink", "PASSWORD": "hunter2"}


def read(values: dict[str, str]) -> Settings:
    environ = {f"{PREFIX}{name}": value for name, value in values.items()}
    return Settings.from_env(environ, cwd=Path("/nowhere"))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {**HTTPS, **USER, "CA_CERTIFICATE": "/etc/fraudlake/ca.crt"},
        {**HTTPS, "API_KEY": "hunter2"},
        {"URL": "http://[::1]:9200/behind/a/proxy", **USER},
    ],
)
def test_what_belongs_together_is_taken(values: dict[str, str]) -> None:
    assert "hunter2" not in repr(read(values))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"URL": "https://sink:hunter2@search.example:9200"},
            "URL holds a login, and addresses are shown - give it as "
            "FRAUDLAKE_ELASTICSEARCH_USERNAME and FRAUDLAKE_ELASTICSEARCH_PASSWORD",
        ),
        # A password may hold what ends the part of an address that it stands in.
        ({"URL": "https://sink:hun#ter2/x@search.example:9200"}, "URL holds a login"),
        ({"URL": "https://search.example"}, "URL is no address: it must look like https://host"),
        ({"URL": "search.example:9200"}, "URL is no address"),
        ({"URL": "https://search.example:port"}, "URL is no address"),
        ({"URL": "ftp://search.example:9200"}, "URL is no address"),
        (
            {"URL": "http://search.example:9200", "CA_CERTIFICATE": "/etc/fraudlake/ca.crt"},
            "CA_CERTIFICATE is for TLS, and FRAUDLAKE_ELASTICSEARCH_URL has none",
        ),
        ({**HTTPS, **USER, "API_KEY": "hunter2"}, "are both set - keep one of them"),
        ({**HTTPS, "USERNAME": "fraudlake_sink"}, "go together - set both, or none"),
        ({**HTTPS, "PASSWORD": "hunter2"}, "go together - set both, or none"),
    ],
)
def test_what_contradicts_itself_is_refused(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(values)
    message = str(caught.value)
    assert sentence in message
    assert message.count(" - ") <= 1  # one fault, one sentence
    assert "hunter2" not in message
    assert "hun#ter2" not in message


@pytest.mark.parametrize("name", ["fraud-alerts", "eu.alerts_2", "7", "a" * 200])
def test_index_may_have_any_name_that_elasticsearch_takes_for_one(name: str) -> None:
    assert read({"INDEX": name}).elasticsearch.index == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "fraud-*",
        "fraud?",
        "Fraud-Alerts",
        "fraud alerts",
        "fraud,alerts",
        "fraud/alerts",
        "-fraud",
        "_all",
        ".fraud",
        "betr\u00fcge",
        "fraud-alerts\n",
        "a" * 201,
    ],
)
def test_index_that_is_a_pattern_or_no_name_is_refused(name: str) -> None:
    """A pattern once passed, and a command for one index would have been for many."""
    with pytest.raises(SettingsError, match=r"_INDEX=.* is no name of an index: .*small letter"):
        read({"INDEX": name})
