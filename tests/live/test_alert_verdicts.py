"""Verdicts that are interrupted, overtaken or given at once: each payment is labelled once."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from alert_index import get
from alert_runs import alert_id, await_caught_up, make_alert, running, send
from case_work import (
    GIVE_UP_SECONDS,
    ID,
    KilledError,
    end_before,
    payments_of,
    read_labels,
    revise,
    said,
    say,
)

from pipelines.errors import TransientError
from pipelines.kafka import connect_producer
from sinks.alerts import cases, label_delivery, verdicts
from sinks.alerts.cases import write_time
from sinks.alerts.search import read_alert
from sinks.alerts.verdicts import finish_verdicts, give_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert

pytestmark = pytest.mark.live


@pytest.fixture
def alert(settings: Settings, index: Elasticsearch) -> str:
    """One alert of two payments, open; its index goes with the test."""
    revise(settings, 1, payments=2)
    assert get(index, settings, 1)["_source"]["case"]["status"] == "open"
    return ID


@pytest.mark.parametrize("step", [2, 3])
def test_verdict_killed_between_its_steps_is_finished_once(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patched:
        end_before(patched, step)
        with pytest.raises(KilledError):
            say(settings, "fraud")
    label = read_alert(settings, alert).case.label
    assert label is not None
    assert (label.state, label.sending) == ("pending", ("tx-0", "tx-1"))
    assert len(said(settings)) == (0 if step == 2 else 2)

    finished, unfinished = finish_verdicts(settings, payments_of)

    assert [one.labels for one in finished] == [2 if step == 2 else 0]
    assert unfinished == []
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]
    label = read_alert(settings, alert).case.label
    assert label is not None
    assert (label.state, label.transactions, label.sending) == ("sent", ("tx-0", "tx-1"), ())
    assert finish_verdicts(settings, payments_of) == ([], [])


def test_verdict_by_a_clock_that_is_ahead_is_labelled_once(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who goes on searches from the verdict's time, and the labels were written before it."""
    ahead = write_time(datetime.now(UTC) + timedelta(minutes=10))
    with monkeypatch.context() as patched:
        patched.setattr(verdicts, "write_now", lambda: ahead)
        end_before(patched, 3)
        with pytest.raises(KilledError):
            say(settings, "fraud")

    finished, _ = finish_verdicts(settings, payments_of)

    assert [one.labels for one in finished] == [0]
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]


def test_verdict_killed_in_its_transaction_is_finished_once(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are in the topic, and nothing says yet whether they count."""

    class Doomed:
        def __init__(self, producer: Any) -> None:
            self._producer = producer

        def __getattr__(self, name: str) -> Any:
            return getattr(self._producer, name)

        def commit_transaction(self, _: float) -> None:
            assert self._producer.flush(GIVE_UP_SECONDS) == 0
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(
            label_delivery,
            "connect_producer",
            lambda *args, **kwargs: Doomed(connect_producer(*args, **kwargs)),
        )
        with pytest.raises(KilledError):
            say(settings, "fraud")

    finished, _ = finish_verdicts(settings, payments_of)

    assert [one.labels for one in finished] == [2]
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]


@pytest.mark.parametrize("is_sent", [False, True], ids=["not sent", "sent"])
def test_verdict_that_is_overtaken_before_it_is_written_finishes_the_other_first(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch, is_sent: bool
) -> None:
    """It used to write its own id over one whose labels were under way: they came twice."""
    edits: list[str] = []

    def ended(*args: Any, **kwargs: Any) -> int:
        if is_sent:
            label_delivery.deliver(*args, **kwargs)
        raise KilledError

    def edit(settings: Settings, alert_id: str, change: Callable[..., Any]) -> StoredAlert:
        edits.append(alert_id)
        if len(edits) == 1:  # the late one has read, and not written
            with monkeypatch.context() as patched, pytest.raises(KilledError):
                patched.setattr(verdicts, "deliver", ended)
                say(settings, "fraud")
        return cases.edit_case(settings, alert_id, change)

    monkeypatch.setattr(verdicts, "edit_case", edit)
    assert say(settings, "fraud") == (0 if is_sent else 2)

    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]


@pytest.mark.parametrize("second", ["fraud", "genuine"])
def test_verdict_that_stalls_before_it_sends_sends_nothing_after_the_next(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    real = label_delivery.deliver
    stalls = iter([True])

    def deliver(*args: Any, **kwargs: Any) -> int:
        if next(stalls, False):  # the first: the other's verdict is given whole meanwhile
            say(settings, second)
        return real(*args, **kwargs)

    monkeypatch.setattr(verdicts, "deliver", deliver)
    assert say(settings, "fraud") == 0

    corrected = [("tx-0", "genuine"), ("tx-1", "genuine")] if second == "genuine" else []
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud"), *corrected]
    case = read_alert(settings, alert).case
    assert case.label is not None
    assert (case.verdict, case.label.state) == (second, "sent")


def test_labels_that_the_case_no_longer_waits_for_are_not_sent(
    settings: Settings, alert: str
) -> None:
    """Whatever put another id into the case, a tool of one's own included."""
    say(settings, "genuine")
    stale = [one for one in read_labels(settings) if one.transaction_id == "tx-0"]

    sent = label_delivery.deliver(
        settings.kafka, stale, label_id="of-old", alert_id=alert, is_current=lambda: False
    )

    assert sent == 0
    assert len(read_labels(settings)) == 2


def test_verdicts_given_at_once_end_as_the_case_says(settings: Settings, alert: str) -> None:
    meet = threading.Barrier(3)

    def judge(verdict: str) -> None:
        meet.wait(GIVE_UP_SECONDS)
        # Fenced off by another: the case has the verdict, and it is finished below.
        with contextlib.suppress(TransientError):
            say(settings, verdict)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(judge, ("fraud", "genuine", "fraud")))
    _, unfinished = finish_verdicts(settings, payments_of)
    assert unfinished == []

    case = read_alert(settings, alert).case
    last = dict(said(settings))
    assert last == {"tx-0": case.verdict, "tx-1": case.verdict}
    # No verdict twice in a row for a payment.
    for name in ("tx-0", "tx-1"):
        of_payment = [label for one, label in said(settings) if one == name]
        assert all(a != b for a, b in itertools.pairwise(of_payment)), of_payment


def test_verdict_that_cannot_be_finished_holds_up_no_other(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(settings, make_alert(2, 1, decisions=1))
    with running(settings):
        await_caught_up(settings)

    def killed(*_: Any, **__: Any) -> int:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(verdicts, "deliver", killed)
        for one in (alert, alert_id(2)):
            with pytest.raises(KilledError):
                give_verdict(
                    settings, one, verdict="fraud", reason=None, by="ann", payments_of=payments_of
                )

    finished, unfinished = finish_verdicts(
        settings, lambda found: [] if found.alert_id == alert else payments_of(found)
    )

    assert [one.alert.alert_id for one in finished] == [alert_id(2)]
    assert [one.alert_id for one in unfinished] == [alert]
    assert "has 0 of the 2 payments" in str(unfinished[0].error)
    assert "Nothing was labelled" not in str(unfinished[0].error)


def test_open_transaction_of_another_is_said(
    settings: Settings, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_delivery, "PATIENCE_SECONDS", 5.0)
    topic = settings.kafka.topics().labels.name
    other = connect_producer(settings.kafka, **{"transactional.id": f"{topic}-other"})
    other.init_transactions(GIVE_UP_SECONDS)
    other.begin_transaction()
    other.produce(topic, key=b"card", value=b"{}")
    assert other.flush(GIVE_UP_SECONDS) == 0

    with pytest.raises(TransientError, match="a transaction of another producer was open for 5 s"):
        say(settings, "fraud")
    other.abort_transaction(GIVE_UP_SECONDS)

    finished, _ = finish_verdicts(settings, payments_of)
    assert [one.labels for one in finished] == [2]
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]
