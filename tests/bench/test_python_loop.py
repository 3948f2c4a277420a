"""The plain loop decides as rule set ``classic`` does; worked out by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from bench.python_loop import Decider
from pipelines.contracts.decision import parse_decision

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BERLIN = {"latitude": 52.52, "longitude": 13.405}
PARIS = {"latitude": 48.8566, "longitude": 2.3522}  # 877 km away


def record(name: str, seconds: int, amount: float = 10.0, **more: Any) -> bytes:
    moment = START + timedelta(seconds=seconds)
    values = {
        "transaction_id": name,
        "event_time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "card_id": "card-1",
        "customer_id": "customer-1",
        "amount": amount,
        "currency": "EUR",
        "channel": "pos",
        **BERLIN,
        **more,
    }
    return json.dumps(values).encode()


def decide_all(*records: bytes) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    decider = Decider("transactions", {"EUR": 1.0, "USD": 0.92})
    found = []
    for offset, value in enumerate(records):
        decision, alert = decider.decide(value, 0, offset)
        assert value in decision  # byte for byte
        found.append((json.loads(decision), None if alert is None else json.loads(alert)))
    return found


def test_rules_fire_exactly_where_they_should() -> None:
    found = decide_all(
        record("t1", 0),
        record("t2", 300, 250, currency="USD"),  # 230 EUR: 40, review
        record("t3", 900),
        record("t4", 905),
        record("t5", 909),  # the third within ten seconds: 30, only allow
        record("t6", 1028, **PARIS),  # 877 km within 119 s: 50, review
        record("t7", 1149),  # and back after 121 s: no rule
        record("t8", 1209, 500, **PARIS),  # jump and amount: 90, block
    )
    assert [(item["score"], item["band"]) for item, _ in found] == [
        (0, "allow"),
        (40, "review"),
        (0, "allow"),
        (0, "allow"),
        (30, "allow"),
        (50, "review"),
        (0, "allow"),
        (90, "block"),
    ]
    assert found[-1][0]["rules_fired"] == ["high_amount", "far_jump"]
    alerts = [alert for _, alert in found if alert is not None]
    assert [(item["sequence"], item["money_at_risk"], item["score"]) for item in alerts] == [
        (1, 230, 40),
        (2, 240, 50),
        (3, 740, 90),
    ]
    assert alerts[-1]["latest"] == found[-1][0]


def test_repeat_changes_nothing_and_a_late_one_is_decided_as_of_its_own_time() -> None:
    found = decide_all(
        record("t1", 0),
        record("t2", 100),
        record("t1", 200, 900),
        record("t3", 95),
        record("t4", 101),
    )
    repeat, late, after = (item for item, _ in found[2:])
    assert (repeat["is_duplicate"], repeat["duplicate_of_offset"], repeat["score"]) == (True, 0, 0)
    assert late["is_late"]
    assert late["features"]["card_count_10s"] == 1
    assert not after["is_late"]
    assert after["features"]["card_count_10s"] == 3  # 95, 100 and 101


def test_broken_record_is_refused() -> None:
    with pytest.raises(ValueError, match="unexpected"):
        decide_all(b"{ no record")
    with pytest.raises(KeyError):
        decide_all(b"{}")


def test_decision_has_the_members_of_the_contract() -> None:
    decider = Decider("transactions", {"EUR": 1.0})
    decision, _ = decider.decide(record("t1", 0, merchant_id="m", merchant_category="5411"), 0, 0)
    shaped = decision.replace(b"classic@loop", b"classic@0123456789ab")
    assert parse_decision(shaped).band == "allow"


SLEEPERS = """
import multiprocessing, time
from bench.python_loop import running
from fraudlake.stopping import interrupt_on_ending

if __name__ == "__main__":
    interrupt_on_ending()
    context = multiprocessing.get_context("spawn")
    sleepers = [context.Process(target=time.sleep, args=(60,), daemon=True) for _ in range(2)]
    with running(sleepers):
        print(*(sleeper.pid for sleeper in sleepers), flush=True)
        time.sleep(60)
"""


def test_no_process_of_the_loop_outlives_a_benchmark_that_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "sleepers.py"
    program.write_text(SLEEPERS)
    parent = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    children = [int(word) for word in parent.stdout.readline().split()]
    assert all(psutil.pid_exists(child) for child in children)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(30) != 0
    parent.stdout.close()
    assert len(children) == 2
    assert not any(psutil.pid_exists(child) for child in children)
