"""What looks like a card number, in text that people write or that systems send.

Only whole numbers count: digits in one piece, whatever letters stand beside them, or in groups with
a space or a dash between them, as they are printed on cards; in the groups of a card, dots, slashes
and underscores will do as well. They must begin like those of a card scheme, have its length, and
end with the check digit of ISO/IEC 7812. So amounts and times are none, nor are hexadecimal ids of
32 characters and more, nor account numbers (IBAN); of other numbers of that length and beginning,
one in ten is taken for one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES = (
    # Visa
    (r"4", (13, 16, 19)),
    # Mastercard
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),
    # American Express
    (r"3[47]", (15,)),
    # Diners Club
    (r"30[0-5]|3095|3[689]", range(14, 20)),
    # JCB
    (r"352[89]|35[3-8]", range(16, 20)),
    # Mir
    (r"220[0-4]", range(16, 20)),
    # Maestro, Discover, UnionPay, RuPay, Verve
    (r"5[0678]|6|8[12]", range(13, 20)),
    # Troy
    (r"9792", (16,)),
)
"""How the numbers of each scheme begin, and how long they are."""
_BEGINS = tuple((re.compile(begins), frozenset(lengths)) for begins, lengths in _SCHEMES)
_MOST_DIGITS = 19

# Not a part of a word, and not one side of a decimal point.
_GROUP = r"(?<!\w)(?<!\d\.)\d+(?!\w)(?!\.\d)"
_GAP = r"[\s\-\u00ad\u2010-\u2015\u200b\u2212]{1,3}"
_RUN = re.compile(rf"{_GROUP}(?:{_GAP}{_GROUP})*")
_DIGITS = re.compile(r"\d+")
_PIECE = re.compile(r"(?<!\d)(?<!\d\.)\d{13,19}(?!\d)(?!\.\d)")
_PRINTED = re.compile(r"(?<!\d)(?:\d{4}([./_])\d{4}\1\d{4}\1\d{4}|\d{4}([./_])\d{6}\2\d{5})(?!\d)")
"""In the groups of most cards, or of those with 15 digits."""
_ID = re.compile(r"(?<![0-9a-z])(?=\d*[a-f])[0-9a-f]{32,}(?![0-9a-z])", re.IGNORECASE)
_IBAN = re.compile(r"(?<![0-9A-Z])[A-Z]{2}\d{2}[0-9A-Z]{11,30}(?![0-9A-Z])", re.IGNORECASE)


def find_card_numbers(text: str) -> list[str]:
    """The digits of everything in ``text`` that looks like a card number, from left to right.

    >>> find_card_numbers("card 4111 1111 1111 1111, expires 12/29")
    ['4111111111111111']
    >>> find_card_numbers("pan4111111111111111eur")
    ['4111111111111111']
    >>> find_card_numbers("4111 1111 1111 1112; 4111.1111; at 1764216113123")
    []
    """
    runs = _RUN.finditer(_take_apart(text))
    return [found for run in runs for found in _search(_DIGITS.findall(run[0]))]


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (ISO/IEC 7812-1, annex B).

    From the right, every second digit counts double, less 9 where that has two digits.

    >>> passes_luhn("79927398713"), passes_luhn("79927398710")
    (True, False)
    """
    values = [int(digit) for digit in reversed(digits)]
    doubled = [2 * value - 9 * (value > 4) for value in values[1::2]]
    return (sum(values[::2]) + sum(doubled)) % 10 == 0


def _take_apart(text: str) -> str:
    """The same digits with blanks around what is whole by itself, and without what has a check."""
    text = _ID.sub("id", text)
    text = _IBAN.sub(lambda found: "iban" if _is_account(found[0]) else found[0], text)
    text = _PRINTED.sub(lambda found: f" {''.join(_DIGITS.findall(found[0]))} ", text)
    return _PIECE.sub(r" \g<0> ", text)


def _is_account(text: str) -> bool:
    """Whether it is an account number by its check digits (ISO 13616)."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1


def _search(groups: list[str]) -> Iterator[str]:
    """Neighbouring groups that make up a number, as many as do; others beside it do not hide it."""
    begin = 0
    while begin < len(groups):
        most = min(len(groups), begin + _MOST_DIGITS)
        ends = range(most, begin, -1)
        end = next((end for end in ends if _is_card_number(groups[begin:end])), None)
        if end is not None:
            yield "".join(groups[begin:end])
        begin = begin + 1 if end is None else end


def _is_card_number(groups: list[str]) -> bool:
    # Digits of any script: "４１１１" is read like "4111".
    plain = "".join(str(int(digit)) for group in groups for digit in group)
    has_form = any(begins.match(plain) and len(plain) in lengths for begins, lengths in _BEGINS)
    return has_form and passes_luhn(plain)
