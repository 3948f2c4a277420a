"""A verdict on an alert: written into the case, and once for each payment into ``labels``.

Two systems, no transaction over both. So the case says first what is to be sent and under which
id (``pending``), then the labels are sent, then the case says so (``sent``):

1. the verdict, a new id and the payments to label are written into the case;
2. the labels go to the topic in one Kafka transaction, each with the id in its header, unless
   some with that id are there already;
3. the case says ``sent``.

Killed between any two of them, the next ``give_verdict`` or ``finish_verdicts`` goes on at 2.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.contracts.label import Label
from pipelines.errors import TerminalError, TransientError
from sinks.alerts.cases import check_verdict, edit_case, write_now
from sinks.alerts.label_delivery import deliver
from sinks.alerts.search import Wanted, list_alerts, read_alert, refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert, VerdictLabel

MOST_PENDING = 1_000
LONGEST_REASON = 256
"""As the contract of labels says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A flagged payment of an alert, as a label names it."""

    transaction_id: str
    card_id: str
    merchant_id: str
    event_time_ms: int
    device_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A verdict that is in the case and in the topic."""

    alert: StoredAlert
    labels: int
    """How many labels were sent by this call."""


def give_verdict(
    settings: Settings,
    alert_id: str,
    *,
    verdict: str,
    reason: str | None,
    by: str,
    payments_of: Callable[[StoredAlert], Sequence[Payment]],
) -> Given:
    """Close the case with ``verdict`` and label its payments, each once.

    The same verdict again labels what came since. TransientError when the labels may not be in the
    topic yet: the case says ``pending``, and the same call again finishes it.
    """
    _check_reason(reason)
    alert = read_alert(settings, alert_id)
    check_verdict(alert.case, verdict=verdict, by=by, alert_id=alert.alert_id)
    finished = _finish(settings, alert, payments_of)
    # 1.
    payments = _all_payments(finished.alert, payments_of)

    def change(seen: StoredAlert) -> dict[str, object]:
        check_verdict(seen.case, verdict=verdict, by=by, alert_id=seen.alert_id)
        return _closed(seen, verdict=verdict, reason=reason, by=by, payments=payments)

    given = edit_case(settings, alert.alert_id, change)
    # 2. and 3.
    sent = _finish(settings, given, payments_of)
    return Given(alert=sent.alert, labels=finished.labels + sent.labels)


def finish_verdicts(
    settings: Settings, payments_of: Callable[[StoredAlert], Sequence[Payment]]
) -> list[Given]:
    """Send the labels of every verdict that was given and not finished."""
    refresh(settings)
    found = list_alerts(settings, Wanted(label_state="pending"), limit=MOST_PENDING)
    return [_finish(settings, alert, payments_of) for alert in found]


def _finish(
    settings: Settings, alert: StoredAlert, payments_of: Callable[[StoredAlert], Sequence[Payment]]
) -> Given:
    label = alert.case.label
    if label is None or label.state != "pending":
        return Given(alert=alert, labels=0)
    wanted = set(label.sending)
    payments = [one for one in payments_of(alert) if one.transaction_id in wanted]
    if len(payments) < len(wanted):
        raise _behind(alert, found=len(payments), wanted=len(wanted))
    labels = [_label(alert, label, one) for one in payments]
    sent = deliver(settings.kafka, labels, label_id=label.id, alert_id=alert.alert_id)

    def change(seen: StoredAlert) -> dict[str, object]:
        if seen.case.label is None or seen.case.label.id != label.id:
            return {}  # another verdict was given meanwhile, and is sent by who gave it
        done = [*label.transactions, *(one.transaction_id for one in payments)]
        return {"label": {"state": "sent", "transactions": done, "sending": []}}

    return Given(alert=edit_case(settings, alert.alert_id, change), labels=sent)


def _all_payments(
    alert: StoredAlert, payments_of: Callable[[StoredAlert], Sequence[Payment]]
) -> Sequence[Payment]:
    payments = payments_of(alert)
    if len(payments) < alert.hits:
        raise _behind(alert, found=len(payments), wanted=alert.hits)
    return payments


def _closed(
    seen: StoredAlert, *, verdict: str, reason: str | None, by: str, payments: Sequence[Payment]
) -> dict[str, object]:
    now = write_now()
    case = seen.case
    is_same = case.label is not None and case.verdict == verdict
    labelled = case.label.transactions if is_same and case.label is not None else ()
    sending = [one.transaction_id for one in payments if one.transaction_id not in labelled]
    fields: dict[str, object] = {
        "status": "closed",
        "assignee": case.assignee or by,
        "verdict": verdict,
        "reason": reason if reason is not None or not is_same else case.reason,
        "closed_at": now,
        "updated_at": now,
        "updated_by": by,
    }
    if sending:
        fields["label"] = {
            "id": uuid.uuid4().hex,
            "state": "pending",
            "at": now,
            "transactions": list(labelled),
            "sending": sending,
        }
    return fields


def _label(alert: StoredAlert, label: VerdictLabel, payment: Payment) -> Label:
    case = alert.case
    return Label(
        transaction_id=payment.transaction_id,
        card_id=payment.card_id,
        merchant_id=payment.merchant_id,
        event_time_ms=payment.event_time_ms,
        label=str(case.verdict),
        source="investigator",
        label_time_ms=round(label.at.timestamp() * 1000),
        reason=case.reason,
        device_id=payment.device_id,
    )


def _check_reason(reason: str | None) -> None:
    if reason is not None and not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        msg = f"reason {reason[:40]!r} must be 1 to {LONGEST_REASON} printable characters"
        raise TerminalError(msg)


def _behind(alert: StoredAlert, *, found: int, wanted: int) -> TransientError:
    return TransientError(
        f"the lakehouse has {found} of the {wanted} payments of alert {alert.alert_id}: its sink "
        "is behind or does not run (`fraudlake status`). Nothing was labelled; try again"
    )
