"""What a submission says when it fails."""

from __future__ import annotations

import pytest

from fraudlake.submission import _cause


@pytest.mark.parametrize(
    ("stderr", "cause"),
    [
        ("WARN x\nerror: no rule set 'clasic'\n", "no rule set 'clasic'"),
        (
            "Traceback\nCaused by: A: outer\n\tat b\nCaused by: B: no slots\n\tat c\n",
            "the job could not be submitted: B: no slots",
        ),
        ("one\n\ntwo\nthree\nfour\n", "the job could not be submitted: two three four"),
        ("", "the job could not be submitted: its program ended without a word"),
    ],
)
def test_cause_is_the_programs_own_word_else_the_innermost_one(stderr: str, cause: str) -> None:
    assert _cause(stderr) == cause
