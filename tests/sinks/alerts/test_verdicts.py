from __future__ import annotations

from typing import Any

import pytest
from stored_alerts import ALERT_ID, make_label, make_stored

from pipelines.errors import SinkError, TransientError
from pipelines.settings import Settings
from sinks.alerts import verdicts
from sinks.alerts.search import Listed, Unreadable
from sinks.alerts.verdicts import (
    Payment,
    _all_payments,
    _closed,
    _PendingError,
    finish_verdicts,
)

CLOSED = {
    "status": "closed",
    "assignee": "ann",
    "verdict": "fraud",
    "reason": "card lost",
    "label": make_label("sent", sent=("tx-0", "tx-1")),
}


def close(
    case: dict[str, Any],
    *transactions: str,
    verdict: str = "fraud",
    reason: str | None = None,
    by: str = "ann",
) -> dict[str, Any]:
    payments = [
        Payment(
            transaction_id=one,
            card_id="card-7",
            merchant_id="merchant-9",
            event_time_ms=1,
            device_id=None,
        )
        for one in transactions
    ]
    return _closed(make_stored(**case), verdict=verdict, reason=reason, by=by, payments=payments)


def test_first_verdict_closes_the_case_and_sends_every_payment() -> None:
    fields = close({}, "tx-0", "tx-1", reason="card lost")

    assert fields["closed_at"] == fields["updated_at"] == fields["label"]["at"]
    expected = {"status": "closed", "assignee": "ann", "updated_by": "ann"}
    expected |= {"verdict": "fraud", "reason": "card lost"}
    assert expected.items() <= {k: v for k, v in fields.items() if k != "label"}.items()
    assert (fields["label"]["state"], fields["label"]["transactions"]) == ("pending", [])
    assert fields["label"]["sending"] == ["tx-0", "tx-1"]
    assert fields["label"]["hits"] == 2


def test_same_verdict_sends_what_came_since_and_keeps_the_reason() -> None:
    fields = close(CLOSED, "tx-0", "tx-1", "tx-2")

    assert fields["reason"] == "card lost"
    assert fields["label"]["transactions"] == ["tx-0", "tx-1"]
    assert fields["label"]["sending"] == ["tx-2"]
    assert fields["label"]["hits"] == 3


def test_same_verdict_sends_nothing_when_nothing_came() -> None:
    assert "label" not in close(CLOSED, "tx-0", "tx-1")


def test_another_verdict_sends_all_again_without_the_old_reason() -> None:
    fields = close(CLOSED, "tx-0", "tx-1", verdict="genuine")

    assert fields["reason"] is None
    assert fields["label"]["transactions"] == []
    assert fields["label"]["sending"] == ["tx-0", "tx-1"]


def test_same_verdict_of_a_colleague_changes_the_label_alone() -> None:
    assert close(CLOSED, "tx-0", "tx-1", "tx-2", by="ben").keys() == {"label"}
    assert close(CLOSED, "tx-0", "tx-1", by="ben") == {}


@pytest.mark.parametrize("verdict", ["fraud", "genuine"])
def test_verdict_whose_labels_are_under_way_is_not_replaced(verdict: str) -> None:
    case = {**CLOSED, "label": make_label("pending", sending=("tx-0",))}

    with pytest.raises(_PendingError):
        close(case, "tx-0", "tx-1", verdict=verdict)


def test_payment_that_came_twice_is_labelled_once() -> None:
    label = close({}, "tx-0", "tx-1", "tx-0")["label"]

    assert label["sending"] == ["tx-0", "tx-1"]
    # As the alert counts: no third payment has come since.
    assert label["hits"] == 3


def test_verdict_in_a_document_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = Unreadable(alert_id="odd", error=SinkError("document odd cannot be read"))
    found = Listed(alerts=[make_stored()], unreadable=[odd], total=2)
    monkeypatch.setattr(verdicts, "refresh", lambda _: None)
    monkeypatch.setattr(verdicts, "list_alerts", lambda *_, **__: found)

    finished, unfinished = finish_verdicts(Settings.from_env({}), lambda _: [])

    assert [one.alert.alert_id for one in finished] == [ALERT_ID]
    assert [(one.alert_id, one.error) for one in unfinished] == [("odd", odd.error)]


def test_verdict_ahead_of_the_lakehouse_is_not_given() -> None:
    with pytest.raises(
        TransientError, match=r"has 0 of the 2 payments .* was not given; try again"
    ):
        _all_payments(make_stored(hits=2), lambda _: [])
