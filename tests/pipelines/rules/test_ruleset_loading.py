"""Rule files: what is read, and that every fault is told at once with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from rule_files import FEATURES, HEAD, load, rule

from pipelines.errors import RulesetError
from pipelines.rules import load_ruleset


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(RulesetError) as caught:
        load(folder, text)
    return str(caught.value).replace("mine.toml ", "").splitlines()


def test_file_is_read_whole(tmp_path: Path) -> None:
    more = 'description = "Large."\n[[rule.example]]\ngiven = {base_amount = 201}\nfires = true\n'
    text = HEAD + rule("big", more=more) + rule("fast", state="shadow", when="card_count_10s >= 3")
    ruleset = load(tmp_path, text + rule("old", state="paused", when="travel_km > 5"))
    assert (ruleset.id, ruleset.combine) == ("mine", "noisy_or")
    assert (ruleset.review_at, ruleset.block_at) == (0.5, 0.8)
    assert [item.id for item in ruleset.rules] == ["big", "fast", "old"]
    assert [item.id for item in ruleset.evaluated] == ["big", "fast"]
    # A paused rule costs nothing: what it alone needs is not planned.
    assert ruleset.columns == {"base_amount", "card_count_10s"}
    (example,) = ruleset.rules[0].examples
    assert (example.given, example.fires, example.line) == ({"base_amount": 201.0}, True, 15)
    assert ruleset.rules[0].description == "Large."


def test_columns_of_sentence_and_limits_count_as_used(tmp_path: Path) -> None:
    more = 'observed = "travel_km"\nlimit = "customer_max_speed_kmh"\n'
    ruleset = load(tmp_path, HEAD + rule(because="at {merchant_id}", more=more))
    assert ruleset.columns == {
        "base_amount",
        "merchant_id",
        "travel_km",
        "customer_max_speed_kmh",
    }


def test_all_faults_are_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = '''# A file with everything wrong that people get wrong.
[ruleset]
id = "Mine"
combine = "noisyor"
review_at = 0.9
block_at = 0.8

[[rule]]
id = "big"
owner = "risk"
state = "activ"
weight = 1.5
when = "base_amout > 200 and chanel = 'pos'"
because = "{base_amount} at {merchent_id}"

[[rule]]
id = "big"
ownr = "risk"
state = "active"
weight = "high"
when = """
  channel > 5
"""
because = "{channel:.1f} {travel_km:.0f"
'''
    assert faults_of(tmp_path, text) == [
        "line 3: id='Mine' must be small letters, digits and _, a letter first, at most 64",
        "line 4: combine='noisyor' must be one of noisy_or, sum - did you mean noisy_or?",
        "line 5: review_at=0.9 must be above 0 and below block_at=0.8",
        "line 11: state='activ' must be one of draft, shadow, active, paused"
        " - did you mean active?",
        "line 13: when unknown column base_amout - did you mean base_amount?; "
        "unknown column chanel - did you mean channel?",
        "line 14: because shows number {base_amount} without 0 to 6 decimals; "
        "write {base_amount:.0f}; shows unknown column {merchent_id} - did you mean merchant_id?",
        "line 16: owner is missing; it must be text",
        "line 16: rule big stands in line 8 already",
        "line 18: unknown key ownr - did you mean owner?; allowed: id, owner, state, weight, when, "
        "because, observed, limit, description, example",
        "line 20: weight is 'high'; it must be a number",
        "line 21: when channel > 5 compares a text with a number",
        "line 24: because has an odd bracket (unmatched '{' in format spec); "
        "write {{ and }} for the characters themselves",
    ]


@pytest.mark.parametrize(
    ("combine", "weight", "is_allowed"),
    [
        ("noisy_or", 1, True),
        ("noisy_or", 0.001, True),
        ("noisy_or", 1.001, False),
        ("noisy_or", 0, False),
        ("noisy_or", -0.5, False),
        ("noisy_or", "nan", False),
        ("sum", 40, True),
        ("sum", 1000000, True),
        ("sum", 1000001, False),
        ("sum", 0, False),
        ("sum", "inf", False),
        ("sum", "true", False),
        ("sum", 10**400, False),
    ],
)
def test_weight_has_a_range_that_depends_on_how_weights_combine(
    tmp_path: Path, combine: str, weight: object, is_allowed: bool
) -> None:
    text = HEAD.replace("noisy_or", combine) + rule(weight=weight)
    if is_allowed:
        assert load(tmp_path, text).rules[0].weight == weight
    else:
        (fault,) = faults_of(tmp_path, text)
        assert fault.startswith("line 11: weight")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: section [ruleset] is missing; it holds id, combine and the thresholds"),
        ("[ruleset\n", "is not TOML that can be read: "),
        (HEAD, "line 1: no rule is active or shadow; at least one [[rule]] must be"),
        (
            HEAD + rule(state="draft"),
            "line 1: no rule is active or shadow; at least one [[rule]] must be",
        ),
        (HEAD + rule().replace("[[rule]]", "[rule]"), "line 7: rule must be written with two"),
        (HEAD + rule().replace("[[rule]]", "[[rules]]"), "line 7: unknown section rules - did you"),
        ("ruleset = 3\n", "line 1: section [ruleset] is missing"),
        (HEAD + rule().replace("risk", " "), "line 9: owner is ' '; it must be text"),
        (HEAD.replace("0.8", "1.5") + rule(), "line 5: block_at=1.5 is never reached"),
        (HEAD.replace("0.5", "0.8") + rule(), "line 4: review_at=0.8 must be above 0 and below"),
        (HEAD.replace("0.5", "0") + rule(), "line 4: review_at=0 must be above 0 and below"),
        (HEAD + rule(more='limit = "channel"\n'), "line 14: limit is a text, not a number"),
        (HEAD + rule(more="observed = 5\n"), "line 14: observed is 5; it must be text"),
        (HEAD + rule(because="a\\nb"), "line 13: because has a control character or a line break"),
        (HEAD + rule(because="  "), "line 13: because is '  '; it must be text"),
        (
            HEAD + rule(more="[[rule.example]]\ngiven = {amout = 1}\nfires = true\n"),
            "line 15: example gives unknown column amout - did you mean amount?",
        ),
        (
            HEAD + rule(more='[[rule.example]]\ngiven = {amount = "1"}\nfires = true\n'),
            "line 15: example gives amount='1'; it must be a number",
        ),
        (
            HEAD + rule(more="[[rule.example]]\ngiven = {channel = 5}\nfires = true\n"),
            "line 15: example gives channel=5; it must be text",
        ),
        (
            HEAD + rule(more="[[rule.example]]\nfires = 1\n"),
            "line 14: an example needs given = { column = value, ... }",
        ),
        (
            HEAD + rule(more="[[rule.example]]\ngiven = {}\nfires = 1\n"),
            "line 16: an example needs fires = true or false",
        ),
        (
            HEAD + rule(more="[rule.example]\ngiven = {}\nfires = true\n"),
            "line 14: rule.example must be written with two brackets: [[rule.example]]",
        ),
    ],
)
def test_file_of_another_shape_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in found for found in faults_of(tmp_path, text))


def test_rules_in_one_line_are_read_and_have_the_line_of_their_key(tmp_path: Path) -> None:
    one = '{id="a", owner="o", state="active", weight=0.5, when="%s", because="b"}'
    inline = f"rule = [{one % 'amount > 1'}]\n"
    assert [item.id for item in load(tmp_path, inline + HEAD).rules] == ["a"]
    assert faults_of(tmp_path, f"# x\nrule = [{one % 'amout > 1'}]\n{HEAD}") == [
        "line 2: when unknown column amout - did you mean amount?"
    ]


def test_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RulesetError, match="is not TOML that can be read"):
        load_ruleset(path, FEATURES)


def test_unknown_name_gets_a_hint() -> None:
    with pytest.raises(RulesetError) as caught:
        load_ruleset("clasic", FEATURES)
    assert str(caught.value) == (
        "no rule set 'clasic' - did you mean classic? "
        "(shipped: baseline, classic, speed; or a file's path)"
    )


def test_file_that_is_not_there_is_called_a_file(tmp_path: Path) -> None:
    with pytest.raises(RulesetError, match=r"^no such rule file: .*/mine\.toml \(shipped"):
        load_ruleset(tmp_path / "mine.toml", FEATURES)
    with pytest.raises(RulesetError, match=r"clasic\.toml - did you mean classic\? \(shipped"):
        load_ruleset(tmp_path / "clasic.toml", FEATURES)


def test_shipped_name_and_path_give_the_same(tmp_path: Path) -> None:
    by_name = load_ruleset("classic", FEATURES)
    copy = tmp_path / "other.toml"
    source = Path(__file__).parents[3] / "pipelines" / "rulesets" / "classic.toml"
    copy.write_bytes(source.read_bytes())
    assert load_ruleset(copy, FEATURES) == by_name
    assert load_ruleset(str(copy), FEATURES) == by_name
