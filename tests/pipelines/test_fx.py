from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import SettingsError
from pipelines.fx import load_fx

if TYPE_CHECKING:
    from pathlib import Path

FX = load_fx()


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0", "EUR", 0),
        ("19.90", "EUR", 1990),
        ("0.005", "EUR", 0),
        ("0.015", "EUR", 2),
        ("0.025", "EUR", 2),
        ("0.0050000000000000000000000000000000001", "EUR", 1),
        ("1e-99999999999", "EUR", 0),
        ("100", "USD", 9200),
        ("12345", "JPY", 7530),  # 75.3045
        ("0.125", "GBP", 15),  # 0.14625
        ("250", "HUF", 64),  # 0.635 is half way: 64 is even
        ("100000000000", "GBP", 11_700_000_000_000),
    ],
)
def test_amounts_become_minor_units_half_to_even(amount: str, currency: str, minor: int) -> None:
    assert FX.to_base_minor(amount, currency) == minor
    assert FX.to_base_minor(Decimal(amount), currency) == minor


@given(
    amount=st.decimals(min_value=0, max_value=10**11, allow_nan=False, allow_infinity=False),
    currency=st.sampled_from(sorted(FX.rates)),
)
def test_conversion_is_exact_rational_arithmetic(amount: Decimal, currency: str) -> None:
    exact = Fraction(amount) * Fraction(FX.rates[currency]) * 100
    assert FX.to_base_minor(amount, currency) == round(exact)  # round() is half to even


def test_a_rate_is_the_decimal_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "fx.toml"
    path.write_text('version = "1"\nbase = "EUR"\n[rates]\nEUR = 1\nUSD = 0.1000000000000000055\n')
    assert str(load_fx(path).rates["USD"]) == "0.1000000000000000055"


def test_all_faults_of_a_table_are_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "fx.toml"
    path.write_text('base = "EUR"\n[rates]\nusd = 1.0\nGBP = -1.0\nCHF = "x"\nSEK = inf\n')
    with pytest.raises(SettingsError) as caught:
        load_fx(path)
    for part in ("version", "'usd'", "GBP = -1.0", "CHF = 'x'", "SEK = Infinity", "EUR must have"):
        assert part in str(caught.value)


def test_a_table_without_rates_or_without_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fx.toml"
    with pytest.raises(SettingsError, match="cannot be read"):
        load_fx(path)
    path.write_text('version = "1"\nbase = "EUR"\n')
    with pytest.raises(SettingsError, match=r"\[rates\] is missing"):
        load_fx(path)
