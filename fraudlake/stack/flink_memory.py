"""How Flink divides the memory of a process, asked of Flink itself and remembered.

Flink's own start scripts ask the same, through the same class, and run five short-lived JVMs for it
at every start: 12 s on two cores before the server's own JVM begins, also after a crash. Asked once
for each configuration, a killed TaskManager is back that much sooner.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.errors import StackError

if TYPE_CHECKING:
    from fraudlake.stack.flink_home import FlinkHome
    from fraudlake.stack.java import Java

Kind = Literal["jobmanager", "taskmanager"]
_QUESTIONS: dict[Kind, str] = {
    "jobmanager": "GET_JM_RESOURCE_PARAMS",
    "taskmanager": "GET_TM_RESOURCE_PARAMS",
}
_ASKED = "org.apache.flink.runtime.util.bash.BashJavaUtils"
_ANSWER = "BASH_JAVA_UTILS_EXEC_RESULT:"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlinkMemory:
    """What goes before and after the main class on the command line."""

    jvm: tuple[str, ...]
    options: tuple[str, ...]


def read_memory(
    kind: Kind, config: str, *, flink: FlinkHome, java: Java, memory_folder: Path
) -> FlinkMemory:
    """The division for a process of ``kind`` under ``config``, the text of a ``config.yaml``.

    Answers are kept in ``memory_folder``. StackError quotes Flink, such as "too little memory".
    """
    key = hashlib.sha256("\n".join((kind, flink.version, config)).encode()).hexdigest()[:16]
    remembered = memory_folder / f"{kind}-{key}.json"
    if remembered.is_file():
        known = json.loads(remembered.read_text(encoding="utf-8"))
        return FlinkMemory(jvm=tuple(known["jvm"]), options=tuple(known["options"]))
    memory = _ask(kind, config, flink, java)
    memory_folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"jvm": memory.jvm, "options": memory.options})
    remembered.write_text(text, encoding="utf-8")
    return memory


def _ask(kind: Kind, config: str, flink: FlinkHome, java: Java) -> FlinkMemory:
    jars = [flink.home / "bin" / "bash-java-utils.jar", *flink.class_path]
    with tempfile.TemporaryDirectory(prefix="fraudlake-flink-") as folder:
        (Path(folder) / "config.yaml").write_text(config, encoding="utf-8")
        command = [str(java.command), "-XX:TieredStopAtLevel=1", "-cp"]
        command += [os.pathsep.join(str(jar) for jar in jars), _ASKED, _QUESTIONS[kind]]
        command += ["--configDir", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    answers = parse_answers(done.stdout)
    if done.returncode != 0 or len(answers) != 2:
        reasons = [line for line in done.stderr.splitlines() if "Exception: " in line]
        reason = reasons[-1].partition("Exception: ")[2] if reasons else done.stderr[-500:]
        msg = (
            f"Flink refuses the memory of a {kind}: {reason.strip()}. Change "
            f"FRAUDLAKE_STACK_{kind.upper()}_MEMORY_MB"
        )
        raise StackError(msg)
    return FlinkMemory(jvm=answers[0], options=answers[1])


def parse_answers(output: str) -> list[tuple[str, ...]]:
    """The lines that carry an answer, split into words.

    >>> parse_answers("INFO x\\nBASH_JAVA_UTILS_EXEC_RESULT:-Xmx1 -Xms1\\n")
    [('-Xmx1', '-Xms1')]
    """
    lines = [line for line in output.splitlines() if line.startswith(_ANSWER)]
    return [tuple(shlex.split(line.removeprefix(_ANSWER))) for line in lines]
