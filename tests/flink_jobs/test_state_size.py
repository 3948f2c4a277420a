"""What the planner estimates of a key's state is about what the kernel keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_kernel_against_reference import DAY, FEATURES, START, make_transaction

from pipelines.features import card_stage
from pipelines.features.estimate import bytes_per_key
from pipelines.reference import Arrival
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from kernel_process import Kernel


@pytest.mark.parametrize("ruleset", ["classic", "baseline"])
def test_sixty_uses_in_thirty_days(kernel: Kernel, ruleset: str) -> None:
    stage = card_stage(FEATURES.select(load_ruleset(ruleset, FEATURES).columns))
    uses = [
        make_transaction(
            n,
            START + n * DAY // 2,
            merchant_id=f"m{n % 20}",
            device_id=f"d{n % 3}",
            country=f"{n % 3:02d}",
        )
        for n in range(60)
    ]
    arrivals = [
        Arrival(transaction=use, partition=0, offset=offset) for offset, use in enumerate(uses)
    ]
    kernel.run(stage, arrivals)
    size = kernel.size_of("c1")
    assert size == pytest.approx(bytes_per_key(stage), rel=0.15)
    print(f"{ruleset}: {size} bytes")
