"""When which server is killed: drawn from a seed, so that a run can be told again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

Victim = Literal["taskmanager", "jobmanager", "broker"]
VICTIMS: tuple[Victim, ...] = get_args(Victim)

FIRST_SHARE = 0.05
LAST_SHARE = 0.75
"""Of the records: before, nothing is at stake yet; after, the job might be through too early."""
LONGEST_DELAY_SECONDS = 1.0
"""As long as from one checkpoint to the next: a kill meets every phase of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One SIGKILL: as soon as the job has done ``at_records``, and a moment later."""

    victim: Victim
    at_records: int
    delay_s: float


def plan_kills(*, seed: int, kills: int, records: int) -> tuple[Kill, ...]:
    """Each victim as often as the others, in random order, one kill in each stretch of the records.

    >>> [kill.victim for kill in plan_kills(seed=1, kills=3, records=1000)]
    ['jobmanager', 'broker', 'taskmanager']
    """
    random = Random(f"{seed}/kills")
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(kills)]
    random.shuffle(victims)
    stretch = (LAST_SHARE - FIRST_SHARE) / max(kills, 1)
    return tuple(
        Kill(
            victim=victim,
            at_records=int(records * (FIRST_SHARE + stretch * (number + random.random()))),
            delay_s=random.uniform(0, LONGEST_DELAY_SECONDS),
        )
        for number, victim in enumerate(victims)
    )
