"""The lines of sections and keys in a TOML text."""

from __future__ import annotations

from pipelines.rules.sections import find_sections, rule_sections

TEXT = """# [[rule]] in a comment
top = 1
[ruleset]  # head
id = "a"

[[rule]]
id = "one"
when = \"\"\"
id = 'not a key'
[[rule]]
\"\"\"
because = '''one line'''
  [[ rule.example ]]
  fires = true
[[rule]]
"id" = "two"
"""


def test_sections_and_keys_have_their_lines_and_long_texts_are_passed_over() -> None:
    found = [(section.name, section.line, section.keys) for section in find_sections(TEXT)]
    assert found == [
        ("", 1, {"top": 2}),
        ("ruleset", 3, {"id": 4}),
        ("rule", 6, {"id": 7, "when": 8, "because": 12}),
        ("rule.example", 13, {"fires": 14}),
        ("rule", 15, {"id": 16}),
    ]


def test_examples_belong_to_the_rule_above_them() -> None:
    (one, examples), (two, others) = rule_sections(find_sections(TEXT), 2)
    assert (one.line, [example.line for example in examples]) == (6, [13])
    assert (two.line, others) == (15, [])


def test_key_that_is_not_set_has_the_line_of_its_section() -> None:
    assert find_sections(TEXT)[1].line_of("combine") == 3
