"""Records as the job writes them, by hand."""

from __future__ import annotations

CARD = b"c1"
ALERT_ID = "b" * 32


def decision(
    offset: int,
    *,
    partition: int = 0,
    topic: str = "transactions",
    card: str = "c1",
    score: float = 0.5,
    features: str = '"card_count_1h":3,"merchant_count_1h":8',
    alert_id: str | None = None,
    note: str = "",
    decided_at: str = "2026-03-01T12:00:00.250Z",
) -> bytes:
    """A decision on one record of the input; ``note`` is a sender's own text."""
    shown = "null" if alert_id is None else f'"{alert_id}"'
    return (
        f'{{"decision_id":"{offset:032x}","transaction":{{"card_id":"{card}","note":"{note}"}},'
        f'"features":{{{features}}},"score":{score},"band":"review","rules_fired":[],'
        f'"is_late":false,"source":{{"topic":"{topic}","partition":{partition},'
        f'"offset":{offset}}},"decided_at":"{decided_at}","alert_id":{shown}}}'
    ).encode()


def alert(sequence: int, latest: bytes, *, card: str = "c1", alert_id: str = ALERT_ID) -> bytes:
    """A revision of an alert, with the decision that caused it."""
    head = f'{{"alert_id":"{alert_id}","sequence":{sequence},"card_id":"{card}","latest":'
    return head.encode() + latest + b"}"


def letter(
    offset: int,
    *,
    reason: str = "not_json",
    detail: str = "",
    failed_at: str = "2026-03-01T12:00:00.1Z",
) -> bytes:
    """A dead letter of partition 0."""
    return (
        f'{{"stage":"decode","reason":"{reason}","detail":"{detail}","original":"e30=",'
        f'"topic":"transactions","partition":0,"offset":{offset},"failed_at":"{failed_at}"}}'
    ).encode()
