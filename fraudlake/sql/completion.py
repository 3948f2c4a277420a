"""What the prompt offers while one types: words of SQL, views, columns and features."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    from sinks.lakehouse.query.lake import ListedColumn

WORDS = """
select from where group by order having limit distinct as and or not in is null between like join
left using on with case when then else end count sum avg min max filter over partition quantile_cont
date_trunc desc interval unnest describe summarize explain labelled_at
"""
_TYPED = re.compile(r"[.$\w]+$")


class SqlCompleter(Completer):
    """Completes the word at the cursor: commands after a dot at the start, else names and words."""

    def __init__(
        self, columns: Sequence[ListedColumn], questions: Iterable[str], commands: Iterable[str]
    ) -> None:
        self._commands = sorted(commands)
        self._questions = sorted(questions)
        self._views = sorted({one.view for one in columns})
        self._names = [*self._views, *sorted({one.name for one in columns}), *WORDS.split()]

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """What may stand at the cursor, the likeliest first."""
        line = document.text_before_cursor
        found = _TYPED.search(line)
        typed = "" if found is None else found.group()
        for word in self._offer(line, typed.lower()):
            yield Completion(word, start_position=-len(typed))

    def _offer(self, line: str, typed: str) -> Iterator[str]:
        if line.startswith("."):
            first, *rest = line.split(" ")
            names = self._commands if not rest else self._of_command(first)
        else:
            names = self._names if typed else []
        return (name for name in names if name.lower().startswith(typed))

    def _of_command(self, command: str) -> list[str]:
        if command == ".run":
            return self._questions
        return self._views if command == ".columns" else []
