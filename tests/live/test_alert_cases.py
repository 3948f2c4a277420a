"""Investigators at work on cases: nothing is overwritten, every payment is labelled once."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from alert_index import get
from alert_runs import alert_id, await_caught_up, make_alert, running, send
from confluent_kafka import TopicPartition

from pipelines.contracts.label import Label, parse_label
from pipelines.errors import TerminalError, TransientError
from pipelines.kafka import connect_consumer, connect_producer, read_offsets
from sinks.alerts import cases, label_delivery, verdicts
from sinks.alerts.search import read_alert
from sinks.alerts.verdicts import Payment, finish_verdicts, give_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert

pytestmark = pytest.mark.live

ID = alert_id(1)
GIVE_UP_SECONDS = 60


class KilledError(Exception):
    """Stands for the end of the process: nothing in the product catches it."""


@pytest.fixture
def alert(settings: Settings, index: Elasticsearch) -> str:
    """One alert of two payments, open; its index goes with the test."""
    revise(settings, 1, payments=2)
    assert get(index, settings, 1)["_source"]["case"]["status"] == "open"
    return ID


def revise(settings: Settings, sequence: int, *, payments: int) -> None:
    """Let the sink write a revision of the alert, as the job sends it for ``payments``."""
    send(settings, make_alert(1, sequence, decisions=payments))
    with running(settings):
        await_caught_up(settings)


def payments_of(alert: StoredAlert) -> list[Payment]:
    return [
        Payment(
            transaction_id=f"tx-{number}",
            card_id=alert.card_id,
            merchant_id="merchant-9",
            event_time_ms=1_790_000_000_000 + number,
            device_id=None,
        )
        for number in range(alert.hits)
    ]


def say(settings: Settings, verdict: str, *, by: str = "ann", reason: str | None = None) -> int:
    """Give the verdict; how many labels it sent."""
    given = give_verdict(
        settings, ID, verdict=verdict, reason=reason, by=by, payments_of=payments_of
    )
    return given.labels


def read_labels(settings: Settings) -> list[Label]:
    """Every committed label of the topic, the oldest verdict first."""
    topic = settings.kafka.topics().labels.name
    ends = {part: one.end for part, one in read_offsets(settings.kafka, topic).items()}
    consumer = connect_consumer(
        settings.kafka, group="test-reader", **{"enable.partition.eof": True}
    )
    labels: list[Label] = []
    try:
        consumer.assign([TopicPartition(topic, part, 0) for part in ends])
        at_end: set[int] = set()
        while at_end < ends.keys():
            for message in consumer.consume(100, 1.0):
                if message.error() is None:
                    labels.append(parse_label(message.value()))
                else:
                    at_end.add(message.partition() or 0)
    finally:
        consumer.close()
    return sorted(labels, key=lambda one: (one.label_time_ms, one.transaction_id))


def said(settings: Settings) -> list[tuple[str, str]]:
    return [(one.transaction_id, one.label) for one in read_labels(settings)]


def end_before(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """End the process, for the first who gets there, when ``step`` would begin."""
    module, name = {2: (verdicts, "deliver"), 3: (verdicts, "edit_case")}[step]
    real = getattr(module, name)
    calls = Counter[str]()

    def doomed(*args: Any, **kwargs: Any) -> Any:
        calls[name] += 1
        # The case is edited in step 1, and again in step 3.
        if calls[name] == (1 if step == 2 else 2):
            raise KilledError
        return real(*args, **kwargs)

    monkeypatch.setattr(module, name, doomed)


def test_notes_of_two_editors_at_once_both_stay(settings: Settings, alert: str) -> None:
    meet = threading.Barrier(2)

    def write(name: str) -> None:
        meet.wait(GIVE_UP_SECONDS)
        for number in range(3):
            cases.add_note(settings, alert, text=f"{name} {number}", by=name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("ann", "ben")))

    notes = read_alert(settings, alert).case.notes
    assert sorted(note.text for note in notes) == [
        f"{n} {i}" for n in ("ann", "ben") for i in (0, 1, 2)
    ]


def test_revision_between_reading_and_writing_loses_neither(settings: Settings, alert: str) -> None:
    seen: list[int] = []

    def change(found: StoredAlert) -> dict[str, object]:
        seen.append(found.sequence)
        if len(seen) == 1:
            revise(settings, 2, payments=3)
        return {"reason": f"seen at revision {found.sequence}"}

    after = cases.edit_case(settings, alert, change)

    assert seen == [1, 2]
    assert (after.sequence, after.hits) == (2, 3)
    assert after.case.reason == "seen at revision 2"


def test_alert_of_another_is_given_away_only_when_that_is_said(
    settings: Settings, alert: str
) -> None:
    cases.assign(settings, alert, assignee="ann", by="ann")

    with pytest.raises(TerminalError, match=r"is with ann since .* `--take-over`"):
        cases.assign(settings, alert, assignee="ben", by="ben")
    assert read_alert(settings, alert).case.assignee == "ann"

    cases.assign(settings, alert, assignee="ben", by="ben", may_take_over=True)
    assert read_alert(settings, alert).case.assignee == "ben"


def test_verdict_labels_each_payment_once_and_what_came_since(
    settings: Settings, alert: str
) -> None:
    assert say(settings, "fraud", reason="holder denies") == 2
    assert say(settings, "fraud") == 0
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]

    revise(settings, 2, payments=3)
    assert say(settings, "fraud") == 1

    labels = read_labels(settings)
    assert [one.transaction_id for one in labels] == ["tx-0", "tx-1", "tx-2"]
    assert {(one.label, one.reason, one.card_id) for one in labels} == {
        ("fraud", "holder denies", "card-1")
    }


def test_payment_that_came_twice_is_labelled_once(settings: Settings, alert: str) -> None:
    """As when a repetition comes so late that the job no longer knows the first."""
    revise(settings, 2, payments=3)

    given = give_verdict(
        settings,
        alert,
        verdict="fraud",
        reason=None,
        by="ann",
        payments_of=lambda found: [*payments_of(found)[:2], payments_of(found)[0]],
    )

    assert given.labels == 2
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]


def test_another_verdict_corrects_all(settings: Settings, alert: str) -> None:
    say(settings, "fraud")
    revise(settings, 2, payments=3)

    assert say(settings, "genuine", reason="was the holder") == 3

    assert said(settings) == [
        ("tx-0", "fraud"),
        ("tx-1", "fraud"),
        ("tx-0", "genuine"),
        ("tx-1", "genuine"),
        ("tx-2", "genuine"),
    ]
    case = read_alert(settings, alert).case
    assert (case.status, case.verdict, case.reason) == ("closed", "genuine", "was the holder")


def test_same_verdict_of_a_colleague_leaves_it_whose_it_is(settings: Settings, alert: str) -> None:
    say(settings, "fraud", by="ann", reason="holder denies")
    before = read_alert(settings, alert).case
    revise(settings, 2, payments=3)

    with pytest.raises(TerminalError, match=r"the verdict on alert .* is ann's, and so is its"):
        say(settings, "fraud", by="ben", reason="looks odd")
    with pytest.raises(TerminalError, match="with ann: a verdict is theirs to give"):
        say(settings, "genuine", by="ben")
    assert say(settings, "fraud", by="ben") == 1

    after = read_alert(settings, alert).case
    assert (after.reason, after.updated_by, after.assignee) == ("holder denies", "ann", "ann")
    assert (after.closed_at, after.updated_at) == (before.closed_at, before.updated_at)
    assert [one.reason for one in read_labels(settings)] == ["holder denies"] * 3


def test_who_takes_a_closed_case_over_may_correct_it(settings: Settings, alert: str) -> None:
    say(settings, "fraud", by="ann")

    with pytest.raises(TerminalError, match=r"is closed .* `--take-over` gives it to"):
        cases.assign(settings, alert, assignee="ben", by="ben")
    taken = cases.assign(settings, alert, assignee="ben", by="ben", may_take_over=True)
    assert (taken.case.status, taken.case.verdict) == ("closed", "fraud")

    assert say(settings, "genuine", by="ben") == 2


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


def test_few_characters_change_no_case(settings: Settings, alert: str) -> None:
    for short in ("", "  ", ID[:5]):
        with pytest.raises(TerminalError, match="too short to change an alert by"):
            cases.add_note(settings, short, text="a note", by="ann")
        with pytest.raises(TerminalError, match="too short to change an alert by"):
            give_verdict(
                settings, short, verdict="fraud", reason=None, by="ann", payments_of=payments_of
            )
    with pytest.raises(TerminalError, match="an empty id names no alert"):
        read_alert(settings, "")

    assert read_alert(settings, alert).case.notes == ()
    assert cases.add_note(settings, ID[:6], text="a note", by="ann").alert_id == alert
