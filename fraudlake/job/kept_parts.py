"""What a deployment is made of, kept beside the memory of it: its statement and its kernel.

So it is submitted again as it was, and its state is compared with what a new release reads,
whatever has become since of the rule file, the sources and the cache: in a container the cache
goes with the image. Both are named by the job's id, and go when nobody needs that job any more.
"""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.job_memory import statement_file

if TYPE_CHECKING:
    from pipelines.job_memory import Remembered
    from pipelines.settings import Settings


def keep_kernel(settings: Settings, job_id: str, kernel: Path) -> Path:
    """Keep the jar for a deployment; where it is from now on."""
    return _share(kernel, statement_file(settings, job_id).with_suffix(".jar"))


def keep_statement(settings: Settings, job_id: str, *, of: str) -> Path:
    """Keep the statement of the job ``of`` for another one, too; where that finds it."""
    return _share(statement_file(settings, of), statement_file(settings, job_id))


def is_kept(settings: Settings, known: Remembered) -> bool:
    """Whether it can be submitted again as it was."""
    return statement_file(settings, known.job_id).is_file() and Path(known.kernel).is_file()


def forget_parts(settings: Settings, job_id: str) -> None:
    """Delete what is kept of a job that nobody will submit again."""
    statement = statement_file(settings, job_id)
    for part in (statement, statement.with_suffix(".jar")):
        part.unlink(missing_ok=True)


def _share(source: Path, target: Path) -> Path:
    """The same bytes under a name of its own, in one step.

    They lie on the disk once, however many jobs need them; a copy is made where the file system or
    the owner of the source does not let them be shared.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        try:
            os.link(source, target)
        except OSError:
            draft = target.with_name(f"{target.name}.{uuid.uuid4().hex}.draft")
            shutil.copyfile(source, draft)
            draft.replace(target)
    return target
