"""An Elasticsearch that takes less in one request than the sink sends: halved, or set aside."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

import pytest
from alert_runs import (
    alert_id,
    await_caught_up,
    indexed_ids,
    make_alert,
    read_dead_letters,
    running,
    send,
)
from second_elasticsearch import running_elasticsearch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

LIMIT_KB = 256
LARGE = 30_000
"""Of one alert, in bytes of a sentence that stands in the request four times: two of them fit."""


@pytest.fixture(scope="module")
def narrow_url() -> Iterator[str]:
    """A node that takes no request above the limit."""
    with running_elasticsearch({"http.max_content_length": f"{LIMIT_KB}kb"}) as server:
        yield server.url


@pytest.fixture
def narrow(settings: Settings, narrow_url: str) -> Settings:
    elasticsearch = dataclasses.replace(settings.elasticsearch, url=narrow_url, external=True)
    return dataclasses.replace(settings, elasticsearch=elasticsearch)


def wordy_alert(number: int, size: int) -> dict[str, Any]:
    alert = make_alert(number, 1)
    alert["rules"][0]["because"] = "x" * size
    return alert


def test_request_above_the_servers_limit_is_halved_until_it_fits(
    narrow: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    send(narrow, *(wordy_alert(number, LARGE) for number in range(200)))

    with running(narrow):
        await_caught_up(narrow)

    assert sorted(indexed_ids(narrow)) == [alert_id(number) for number in range(200)]
    assert read_dead_letters(narrow) == []
    assert "event=retry" not in caplog.text  # a request too large is none to wait for


def test_alert_above_the_servers_limit_is_set_aside_and_holds_up_no_other(
    narrow: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    too_large = [
        wordy_alert(number, 1_000 * LIMIT_KB * times) for number, times in ((2, 1), (4, 6))
    ]
    send(narrow, make_alert(1, 1), too_large[0], make_alert(3, 1), too_large[1], make_alert(5, 1))

    with running(narrow):
        await_caught_up(narrow)

    assert sorted(indexed_ids(narrow)) == [alert_id(number) for number in (1, 3, 5)]
    letters = read_dead_letters(narrow)
    assert [letter["reason"] for letter in letters] == ["too_large", "too_large"]
    assert "x" * 100 not in caplog.text
