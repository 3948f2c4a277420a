from __future__ import annotations

import hashlib
import subprocess
import sys

from pipelines.ids import alert_id, decision_id


def test_ids_follow_the_written_recipe() -> None:
    recipe = hashlib.sha256(b"decision\ntransactions\n3\n1234").hexdigest()[:32]
    assert decision_id(topic="transactions", partition=3, offset=1234) == recipe
    recipe = hashlib.sha256(b"alert\nc1\nt1").hexdigest()[:32]
    assert alert_id(card_id="c1", transaction_id="t1") == recipe


def test_another_process_computes_the_same_id() -> None:
    code = "from pipelines.ids import alert_id; print(alert_id(card_id='é', transaction_id='t'))"
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert ids == {alert_id(card_id="é", transaction_id="t")}


def test_parts_and_kinds_do_not_run_into_each_other() -> None:
    ids = {
        decision_id(topic="t", partition=1, offset=11),
        decision_id(topic="t", partition=11, offset=1),
        decision_id(topic="t1", partition=1, offset=1),
        alert_id(card_id="c", transaction_id="1"),
        alert_id(card_id="c1", transaction_id=""),
    }
    assert len(ids) == 5
    assert all(len(each) == 32 for each in ids)
