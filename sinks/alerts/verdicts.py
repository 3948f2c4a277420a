"""A verdict on an alert: written into the case, and once for each payment into ``labels``.

Two systems, no transaction over both. So the case says first what is to be sent and under which
id (``pending``), then the labels are sent, then the case says so (``sent``):

1. the verdict, a new id and the payments to label are written into the case, never over an id
   that is still ``pending``: that one is finished first;
2. the labels go to the topic in one Kafka transaction, each with the id in its header, unless
   some with that id are there already, or the case has another id by now;
3. the case says ``sent``.

Killed between any two of them, the next ``give_verdict`` or ``finish_verdicts`` goes on at 2.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.contracts.label import Label
from pipelines.errors import FraudlakeError, TerminalError, TransientError
from sinks.alerts.cases import (
    check_verdict,
    edit_case,
    find_case,
    is_of_another,
    refuse_card_numbers,
    write_now,
)
from sinks.alerts.label_delivery import deliver
from sinks.alerts.search import Wanted, list_alerts, read_alert, refresh

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert, VerdictLabel

TRIES = 5
"""Each is lost only to a verdict that somebody else gave in the same second."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A verdict whose labels may still be missing, and why."""

    alert_id: str
    error: FraudlakeError


class _PendingError(Exception):
    """The case has a verdict whose labels are under way."""


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

    def change(seen: StoredAlert) -> dict[str, object]:
        check_verdict(seen, verdict=verdict, reason=reason, by=by)
        return _closed(seen, verdict=verdict, reason=reason, by=by, payments=payments)

    earlier = 0
    for _ in range(TRIES):
        alert = find_case(settings, alert_id)
        check_verdict(alert, verdict=verdict, reason=reason, by=by)
        finished = _finish(settings, alert, payments_of)
        earlier += finished.labels
        # 1.
        payments = _all_payments(finished.alert, payments_of)
        try:
            given = edit_case(settings, alert.alert_id, change)
        except _PendingError:
            continue
        # 2. and 3.
        sent = _finish(settings, given, payments_of)
        return Given(alert=sent.alert, labels=earlier + sent.labels)
    msg = f"alert {alert_id} was given verdicts by others {TRIES} times in a row: try again"
    raise TransientError(msg)


def finish_verdicts(
    settings: Settings, payments_of: Callable[[StoredAlert], Sequence[Payment]]
) -> tuple[list[Given], list[Unfinished]]:
    """Send the labels of every verdict that was given and not finished.

    One that cannot be finished holds up none of the others.
    """
    refresh(settings)
    pending = list_alerts(settings, Wanted(label_state="pending"), limit=MOST_PENDING)
    finished: list[Given] = []
    unfinished = [Unfinished(alert_id=one.alert_id, error=one.error) for one in pending.unreadable]
    for alert in pending.alerts:
        try:
            finished.append(_finish(settings, alert, payments_of))
        except FraudlakeError as error:
            unfinished.append(Unfinished(alert_id=alert.alert_id, error=error))
    return finished, unfinished


def _finish(
    settings: Settings, alert: StoredAlert, payments_of: Callable[[StoredAlert], Sequence[Payment]]
) -> Given:
    label = alert.case.label
    if label is None or label.state != "pending":
        return Given(alert=alert, labels=0)
    wanted = set(label.sending)
    # By id: a payment that came twice has one label.
    payments = {
        one.transaction_id: one for one in payments_of(alert) if one.transaction_id in wanted
    }
    if len(payments) < len(wanted):
        what_now = (
            f"The case says {alert.case.verdict}; `fraudlake alerts send-verdicts` sends what is "
            "missing"
        )
        raise _behind(alert, found=len(payments), wanted=len(wanted), what_now=what_now)
    sent = deliver(
        settings.kafka,
        [_label(alert, label, one) for one in payments.values()],
        label_id=label.id,
        alert_id=alert.alert_id,
        is_current=lambda: _is_pending(read_alert(settings, alert.alert_id), label.id),
    )

    def change(seen: StoredAlert) -> dict[str, object]:
        if seen.case.label is None or seen.case.label.id != label.id:
            return {}  # who gave the next verdict had finished this one
        done = [*label.transactions, *payments]
        return {"label": {"state": "sent", "transactions": done, "sending": []}}

    return Given(alert=edit_case(settings, alert.alert_id, change), labels=sent)


def _is_pending(alert: StoredAlert, label_id: str) -> bool:
    label = alert.case.label
    return label is not None and label.id == label_id and label.state == "pending"


def _all_payments(
    alert: StoredAlert, payments_of: Callable[[StoredAlert], Sequence[Payment]]
) -> Sequence[Payment]:
    payments = payments_of(alert)
    if len(payments) < alert.hits:
        what_now = "The verdict was not given; try again"
        raise _behind(alert, found=len(payments), wanted=alert.hits, what_now=what_now)
    return payments


def _closed(
    seen: StoredAlert, *, verdict: str, reason: str | None, by: str, payments: Sequence[Payment]
) -> dict[str, object]:
    """The fields of the case with its verdict; _PendingError while an earlier one is under way."""
    now = write_now()
    case = seen.case
    if case.label is not None and case.label.state == "pending":
        raise _PendingError
    is_same = case.verdict == verdict
    labelled = case.label.transactions if is_same and case.label is not None else ()
    flagged = dict.fromkeys(one.transaction_id for one in payments)
    sending = [one for one in flagged if one not in labelled]
    fields: dict[str, object] = {}
    # The same verdict on a colleague's case adds labels; the verdict stays theirs.
    if not is_of_another(case, by):
        fields = {
            "status": "closed",
            "assignee": by,
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
            # What is more than these, by and by, has come since.
            "hits": len(payments),
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
    if reason is None:
        return
    refuse_card_numbers("the reason", reason)
    if not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        msg = f"reason {reason[:40]!r} must be 1 to {LONGEST_REASON} printable characters"
        raise TerminalError(msg)


def _behind(alert: StoredAlert, *, found: int, wanted: int, what_now: str) -> TransientError:
    return TransientError(
        f"the lakehouse has {found} of the {wanted} payments of alert {alert.alert_id}: its sink "
        f"is behind or does not run (`fraudlake status`). {what_now}"
    )
