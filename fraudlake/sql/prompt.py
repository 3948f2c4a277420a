"""The prompt of ``fraudlake sql``: questions until one has no more."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from rich.console import Console

from fraudlake.sql.completion import SqlCompleter
from fraudlake.sql.show import show_answer, show_columns, show_questions, show_slow
from pipelines.errors import FraudlakeError, TerminalError
from pipelines.hints import did_you_mean
from sinks.lakehouse.query.lake import FilesReplacedError
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.questions import find_question, ready_questions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pipelines.settings import Settings
    from sinks.lakehouse.query.lake import Lake
    from sinks.lakehouse.query.opening import Moment

_Answer = TypeVar("_Answer")
HISTORY_FILE = "sql_history"
ROWS = 100
HELP = """\
A question ends with a semicolon and may take several lines.
.tables                 the views
.columns VIEW           its columns, with what they mean
.questions              ready questions
.run NAME days=7 ...    ask one of them
.explain QUESTION;      how it is answered
.refresh                look at the tables as they are now
.quit                   or Ctrl-D"""


def ask_until_quit(
    settings: Settings,
    *,
    as_of: Moment | None,
    known_at: datetime | None,
    session: PromptSession[str] | None = None,
) -> None:
    """Answer questions until ``.quit`` or the end of the input.

    ``session`` is where they are typed; else the terminal.
    """
    with ExitStack() as opened:

        def open_newest() -> Lake:
            fresh = ExitStack()
            lake = fresh.enter_context(open_lake(settings, as_of=as_of, known_at=known_at))
            opened.close()
            opened.push(fresh)
            return lake

        prompt = Prompt(open_newest)
        if session is None:
            settings.stack.home.mkdir(parents=True, exist_ok=True)
            history = FileHistory(str(settings.stack.home / HISTORY_FILE))
            session = PromptSession(history=history)
        prompt.serve(session)


class Prompt:
    """An open lakehouse, and what is typed at it."""

    def __init__(self, open_newest: Callable[[], Lake]) -> None:
        self._open_newest = open_newest
        self._console = Console(highlight=False, emoji=False)
        self._commands: dict[str, Callable[[str], None]] = {
            ".help": lambda _: self._console.print(HELP),
            ".tables": lambda _: self._console.print("\n".join(self._lake.views())),
            ".columns": self._show_columns,
            ".questions": lambda _: show_questions(ready_questions(), as_json=False),
            ".run": self._run,
            ".explain": self._explain,
            ".refresh": lambda _: self._refresh(),
        }
        self._refresh()

    def serve(self, session: PromptSession[str]) -> None:
        """Read and answer; Ctrl-C drops what is typed, or ends a question that runs."""
        self._console.print("questions end with a semicolon; .help tells more, Ctrl-D ends")

        @Condition
        def is_unfinished() -> bool:
            return not _is_whole(session.default_buffer.text)

        while True:
            try:
                text = session.prompt(
                    "lake> ",
                    multiline=is_unfinished,
                    completer=self._completer,
                    complete_while_typing=False,
                    prompt_continuation="  ... ",
                ).strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text in {".quit", ".exit"}:
                return
            if text != "":
                self.answer(text)

    def answer(self, text: str) -> None:
        """Show the answer, or what is wrong with what was typed."""
        try:
            if text.startswith("."):
                name, _, rest = text.partition(" ")
                self._find(name)(rest.strip())
            else:
                self._ask(text, {})
        except FraudlakeError as error:
            # What was typed stands in it: it is text, whatever it looks like.
            self._console.print(str(error), style="red", markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            self._lake.connection.interrupt()
            self._console.print("interrupted")

    def _find(self, name: str) -> Callable[[str], None]:
        if name not in self._commands:
            msg = f"there is no command {name}{did_you_mean(name, [*self._commands, '.quit'])}"
            raise TerminalError(msg)
        return self._commands[name]

    def _ask(self, question: str, values: dict[str, Any]) -> None:
        began = time.perf_counter()
        answer = self._with_files(lambda lake: lake.ask(question, values, limit=ROWS))
        seconds = time.perf_counter() - began
        show_answer(answer, limit=ROWS)
        show_slow(self._lake)
        more = " shown" if answer.is_cut else ""
        self._console.print(f"{len(answer.rows):,} rows{more}, {seconds:.2f} s", style="dim")

    def _with_files(self, ask: Callable[[Lake], _Answer]) -> _Answer:
        """The answer; once more from the tables as they are now, if upkeep took their files."""
        try:
            return ask(self._lake)
        except FilesReplacedError:
            self._console.print("upkeep has replaced the files: looking anew", style="dim")
            self._refresh()
            return ask(self._lake)

    def _run(self, words: str) -> None:
        name, *pairs = words.split() or [""]
        if name == "":
            msg = "name a ready question: .run NAME days=7 ... (.questions lists them)"
            raise TerminalError(msg)
        question = find_question(name)
        given = dict(pair.partition("=")[::2] for pair in pairs)
        self._ask(question.sql, question.bind(given))

    def _explain(self, question: str) -> None:
        explained = self._with_files(lambda lake: lake.explain(question))
        self._console.print(explained, markup=False)

    def _show_columns(self, view: str) -> None:
        views = self._lake.views()
        if view not in views:
            msg = f"there is no view {view}{did_you_mean(view, views)}"
            raise TerminalError(msg)
        listed = [one for one in self._lake.list_columns() if one.view == view]
        show_columns(listed, as_json=False)

    def _refresh(self) -> None:
        self._lake = self._open_newest()
        names = [question.name for question in ready_questions()]
        commands = [*self._commands, ".quit"]
        self._completer = SqlCompleter(self._lake.list_columns(), names, commands)


def _is_whole(text: str) -> bool:
    """True where Enter sends: a command, nothing, or a question with its semicolon."""
    stripped = text.strip()
    return stripped == "" or stripped.startswith(".") or stripped.endswith(";")
