"""State that a new release would misread is refused; what is not known is not compared."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from fraudlake.job.state_check import LAYOUTS, read_layouts, refuse_other_state
from fraudlake.stack.project import KERNEL
from pipelines.errors import JobError
from pipelines.job_memory import Remembered

if TYPE_CHECKING:
    from pathlib import Path


def make_kernel(folder: Path, name: str, text: str | None) -> Path:
    path = folder / f"{name}.jar"
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "")
        if text is not None:
            jar.writestr(LAYOUTS, text)
    return path


def compare(old: Path, new: Path, *, was: str = "EUR", now: str = "EUR") -> None:
    known = Remembered(job_id="a", ruleset="r", kernel=str(old), base_currency=was)
    refuse_other_state(known, new, base_currency=now)


def test_every_layout_that_is_not_read_any_longer_is_named(tmp_path: Path) -> None:
    old = make_kernel(tmp_path, "old", "# a comment\nprofile=3 2\nalert=1\nfrauds=1\n")
    new = make_kernel(tmp_path, "new", "profile=5 4\nalert=2 1\n")
    with pytest.raises(JobError) as caught:
        compare(old, new)
    assert "profile state is of version 3, the new release reads 5, 4" in str(caught.value)
    assert "frauds state is of version 1, the new release reads none" in str(caught.value)
    assert "alert" not in str(caught.value)


def test_amounts_in_another_currency_are_refused(tmp_path: Path) -> None:
    kernel = make_kernel(tmp_path, "same", "profile=4\n")
    with pytest.raises(
        JobError, match="its amounts are in EUR, the exchange rates are now for USD"
    ):
        compare(kernel, kernel, now="USD")


@pytest.mark.parametrize("text", [None, "profile=4\n"])
def test_a_job_of_which_less_is_known_is_compared_in_what_is(
    tmp_path: Path, text: str | None
) -> None:
    new = make_kernel(tmp_path, "new", "profile=5 4\n")
    compare(make_kernel(tmp_path, "old", text), new, was="")
    compare(tmp_path / "gone.jar", new, was="")


def test_the_kernels_own_file_names_what_its_stages_keep(tmp_path: Path) -> None:
    text = (KERNEL / "resources" / LAYOUTS).read_text(encoding="ascii")
    layouts = read_layouts(make_kernel(tmp_path, "own", text))
    assert set(layouts) == {"alert", "customers", "frauds", "profile"}
    assert all(versions == tuple(sorted(versions, reverse=True)) for versions in layouts.values())
