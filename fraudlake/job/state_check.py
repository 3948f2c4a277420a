"""Whether a new job can go on from what the running one keeps in its state."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import JobError

if TYPE_CHECKING:
    from pipelines.job_memory import Remembered

LAYOUTS = "io/fraudlake/state-layouts.properties"
"""In a kernel's jar: of each layout the version that it writes, then older ones that it reads."""


def refuse_other_state(known: Remembered, kernel: Path, *, base_currency: str) -> None:
    """JobError, with every reason, where ``kernel`` would misread the state of the job ``known``.

    What is not known of the old job, because a release submitted it that kept no kernel
    (``fraudlake.job.kept_parts``), is not compared.
    """
    faults = _layout_faults(read_layouts(Path(known.kernel)), read_layouts(kernel))
    if known.base_currency and known.base_currency != base_currency:
        faults.append(
            f"its amounts are in {known.base_currency}, the exchange rates are now for "
            f"{base_currency}"
        )
    if faults:
        msg = (
            f"the new job cannot go on from the old one's state: {'; '.join(faults)}. The old job "
            "runs on. Deploy a release that reads its state, or begin without it: "
            "`fraudlake job stop`, then `fraudlake job submit --fresh`"
        )
        raise JobError(msg)


def read_layouts(kernel: Path) -> dict[str, tuple[int, ...]]:
    """The versions of each layout that a kernel knows, the written one first; empty if unknown."""
    if not kernel.is_file():
        return {}
    with zipfile.ZipFile(kernel) as jar:
        if LAYOUTS not in jar.namelist():
            return {}
        text = jar.read(LAYOUTS).decode("ascii")
    lines = (line.split("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: tuple(int(word) for word in versions.split()) for name, versions in lines}


def _layout_faults(old: dict[str, tuple[int, ...]], new: dict[str, tuple[int, ...]]) -> list[str]:
    return [
        f"{name} state is of version {versions[0]}, the new release reads "
        f"{', '.join(str(version) for version in new.get(name, ())) or 'none'}"
        for name, versions in old.items()
        if new and versions[0] not in new.get(name, ())
    ]
