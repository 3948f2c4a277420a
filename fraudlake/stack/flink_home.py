"""Finding Flink: it comes inside the wheel ``apache-flink``, in an environment of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from fraudlake.stack.project import PROJECT
from pipelines.errors import StackError

_ASK = (
    "import importlib.metadata as m, importlib.util as u;"
    "print(u.find_spec('pyflink').submodule_search_locations[0]);"
    "print(m.version('apache-flink'))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkHome:
    """An installed Flink: the Python of its environment, its folder, its version."""

    python: Path
    home: Path
    version: str

    @property
    def class_path(self) -> tuple[Path, ...]:
        """Every jar in ``lib``, Flink's own last, as its scripts order them."""
        jars = (self.home / "lib").glob("*.jar")
        return tuple(sorted(jars, key=lambda jar: (jar.name.startswith("flink-dist"), jar.name)))

    @property
    def prometheus(self) -> tuple[Path, ...]:
        """Its metrics reporter, which Flink keeps apart from ``lib``."""
        return tuple((self.home / "plugins" / "metrics-prometheus").glob("*.jar"))


def find_flink(python: str = "") -> FlinkHome:
    """Flink as seen by ``python``; empty: the environment ``.venv-flink`` beside the project.

    The setting is ``flink.python`` (``FRAUDLAKE_FLINK_PYTHON``).
    """
    interpreter = Path(python).expanduser() if python != "" else _beside_project()
    interpreter = interpreter.absolute()  # not resolved: the link is what makes it an environment
    if not interpreter.is_file():
        msg = (
            f"Flink's Python is not at {interpreter}. Make its environment with `make setup`, or "
            "set FRAUDLAKE_FLINK_PYTHON to a Python 3.11 that has apache-flink installed"
        )
        raise StackError(msg)
    command = [str(interpreter), "-c", _ASK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        msg = (
            f"{interpreter} has no Flink. Install it with "
            f"`{interpreter} -m pip install -e '.[flink]' -c constraints/flink.txt`"
        )
        raise StackError(msg)
    home, version = done.stdout.split("\n")[:2]
    return FlinkHome(python=interpreter, home=Path(home), version=version)


def _beside_project() -> Path:
    here = Path.cwd() / ".venv-flink" / "bin" / "python"
    return here if here.is_file() else PROJECT / ".venv-flink" / "bin" / "python"
