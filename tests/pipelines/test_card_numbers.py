from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.card_numbers import find_card_numbers, passes_luhn

# Numbers that the schemes and their processors publish for tests.
PUBLISHED = {
    "Visa": "4111111111111111",
    "Visa of 13 digits": "4222222222222",
    "Mastercard": "5105105105105100",
    "Mastercard, 2-series": "2223003122003222",
    "American Express": "378282246310005",
    "Diners Club": "36227206271667",
    "Diners Club of 16 digits": "3056930009020004",
    "Discover": "6011111111111117",
    "JCB": "3566002020360505",
    "UnionPay": "6200000000000005",
    "UnionPay of 19 digits": "6205500000000000004",
    "Maestro of 19 digits": "6304000000000000000",
    "Mir": "2200000000000053",
}
NUMBERS = sorted(PUBLISHED.values())


@pytest.mark.parametrize("number", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_published_numbers_of_each_scheme_are_found_in_a_sentence(number: str) -> None:
    assert find_card_numbers(f"Holder says {number}, and denies it.") == [number]
    assert find_card_numbers(f"PAN:{number}.") == [number]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111 - 1111 - 1111 - 1111",
        "4111\u00a01111\u20111111\u20131111",
        "4111\n1111 1111\t1111",
        "41 11 11 11 11 11 11 11",
        "\uff14\uff11\uff11\uff11 1111 1111 1111",  # of full width
    ],
)
def test_spaces_and_dashes_hide_no_number(text: str) -> None:
    [found] = find_card_numbers(f"card {text} lost")
    assert [int(digit) for digit in found] == [4] + [1] * 15


@pytest.mark.parametrize(
    "text",
    [
        "card4111111111111111",
        "4111111111111111eur",
        "a4111111111111111f",
        "card_4111111111111111",
        "4111111111111111_lost",
        "4111.1111.1111.1111",
        "pan4111/1111/1111/1111.",
        "4111_1111_1111_1111",
        "_4111_1111_1111_1111_",
        "AT4111111111111111",  # an account by its look, not by its check digits
    ],
)
def test_letters_and_other_separators_hide_no_number(text: str) -> None:
    assert find_card_numbers(f"holder said {text}") == ["4111111111111111"]


def test_number_in_the_groups_of_15_digits_is_found_with_dots() -> None:
    assert find_card_numbers("3782.822463.10005") == ["378282246310005"]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111 12/29 737",
        "4111 1111 1111 1111 1229",
        "737 4111 1111 1111 1111",
        "27-11-2026 4111111111111111",
        "2 cards: 4111111111111111",
    ],
)
def test_number_beside_other_numbers_is_found(text: str) -> None:
    assert find_card_numbers(text) == ["4111111111111111"]


def test_each_of_several_numbers_is_found() -> None:
    assert find_card_numbers("378282246310005 4111 1111 1111 1111,5105105105105100") == [
        "378282246310005",
        "4111111111111111",
        "5105105105105100",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # another check digit
        "7111111111111119",  # of no scheme
        "411111111111",
        "41111111111111111110",
        "4111.1111.1111.1112",
        "4111.1111/1111_1111",  # printed like none
        "4111.1111",
        "a" * 16 + "4111111111111111",  # as ids are written
        "BE68 5390 0754 7034 and BE68539007547034",
        "ES9121000418450200051332, GB82WEST12345698765432",
        "550e8400-e29b-41d4-a716-446655440000",
        "192.168.100.100",
        "+49 170 1234567, +33 6 12 34 56 78",
        "DE89 3704 0044 0532 0130 00",
        "4,111,111,111,111,111.00 and 0.4111111111111111",
    ],
)
def test_what_is_no_card_number_is_let_through(text: str) -> None:
    assert find_card_numbers(text) == []


@given(st.decimals(min_value=0, max_value=Decimal(10) ** 20, places=2), st.sampled_from(",'"))
def test_no_amount_is_taken_for_one(amount: Decimal, separator: str) -> None:
    for text in (f"{amount}", f"{amount:,}", f"{amount:,}".replace(",", separator)):
        assert find_card_numbers(f"paid {text} EUR") == []


@given(st.integers(-2_208_988_800, 7_258_118_399))  # 1900 to 2199
def test_no_time_is_taken_for_one(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%d.%m.%Y %H:%M", "%Y%m%d%H%M%S"):
        assert find_card_numbers(moment.strftime(form)) == []


@given(st.integers(1_000_000_000, 1_999_999_999), st.sampled_from((3, 6, 9)))
def test_no_count_of_seconds_since_1970_is_taken_for_one(seconds: int, places: int) -> None:
    for fraction in ("0" * places, "9" * places):
        assert find_card_numbers(f"at {seconds}{fraction}") == []


@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_no_id_of_ours_is_taken_for_one(identity: str) -> None:
    assert find_card_numbers(f"alert {identity}, decision {identity}") == []


@given(st.text("0123456789", min_size=12, max_size=18))
def test_one_check_digit_fits_and_the_nine_others_do_not(digits: str) -> None:
    # Computed the other way round: what is missing to the next ten.
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    right = (10 - total % 10) % 10
    assert [last for last in range(10) if passes_luhn(f"{digits}{last}")] == [right]


@given(st.sampled_from(NUMBERS), st.integers(0, 18), st.integers(1, 9))
def test_one_wrong_digit_makes_it_none(number: str, place: int, more: int) -> None:
    at = place % len(number)
    wrong = f"{number[:at]}{(int(number[at]) + more) % 10}{number[at + 1 :]}"
    assert find_card_numbers(wrong) == []


@given(
    st.sampled_from(NUMBERS),
    st.lists(st.sampled_from(["", "", "", " ", "-"]), min_size=19, max_size=19),
)
def test_groups_of_any_size_are_put_together(number: str, gaps: list[str]) -> None:
    spaced = "".join(f"{digit}{gap}" for digit, gap in zip(number, gaps, strict=False))
    assert find_card_numbers(f"({spaced.strip(' -')})") == [number]
