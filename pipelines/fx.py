"""The exchange rates into the base currency, and exact conversion into its minor units."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipelines.contracts.fields import CURRENCY
from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED = Path(__file__).with_name("fx.toml")
MINOR_DIGITS = 2
"""Decimals of the base currency."""
LARGEST_RATE = 14
"""The kernel keeps amounts in 48 bits of minor units: the largest transaction must fit."""
MOST_DIGITS = 2**63 - 1
"""The digits of a rate are a 64-bit number in the kernel."""

# Products must not be rounded before the one rounding that is meant.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class FxTable:
    """Units of ``base`` for one unit of each currency, exactly as written in the file."""

    version: str
    base: str
    rates: Mapping[str, Decimal]

    def to_base_minor(self, amount: Decimal | str | int, currency: str) -> int:
        """``amount`` in minor units of the base currency, exact, then rounded half to even.

        >>> load_fx().to_base_minor("12.345", "EUR"), load_fx().to_base_minor("12.355", "EUR")
        (1234, 1236)
        >>> load_fx().to_base_minor("100", "USD")
        9200
        """
        exact = _EXACT.multiply(Decimal(amount), self.rates[currency])
        return int(_EXACT.to_integral_value(_EXACT.scaleb(exact, MINOR_DIGITS)))


def load_fx(path: Path = SHIPPED) -> FxTable:
    """The table in a TOML file; SettingsError lists every fault."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"the exchange rates {path} cannot be read: {error}"
        raise SettingsError(msg) from error
    faults = _faults(content)
    if faults:
        raise SettingsError("; ".join(f"{path.name}: {fault}" for fault in faults))
    rates = {code: Decimal(rate) for code, rate in content["rates"].items()}
    return FxTable(version=content["version"], base=content["base"], rates=MappingProxyType(rates))


def _faults(content: Mapping[str, Any]) -> list[str]:
    faults = [
        f"{name} is missing - must be text"
        for name in ("version", "base")
        if not isinstance(content.get(name), str)
    ]
    rates = content.get("rates")
    if not isinstance(rates, dict):
        return [*faults, "[rates] is missing - must give a number for each currency"]
    for code, rate in rates.items():
        if CURRENCY.fullmatch(code) is None:
            faults.append(f"{code!r} - must be three capital letters (ISO 4217)")
        if isinstance(rate, bool) or not isinstance(rate, int | Decimal):
            faults.append(f"{code} = {rate!r} - must be a number")
        elif not (Decimal(rate).is_finite() and 0 < rate <= LARGEST_RATE):
            faults.append(
                f"{code} = {rate} - must be above 0 and at most {LARGEST_RATE}: "
                "choose a base currency whose unit is worth more"
            )
        elif int("".join(str(digit) for digit in Decimal(rate).as_tuple().digits)) > MOST_DIGITS:
            faults.append(f"{code} = {rate} - must have at most 18 digits")
    if isinstance(content.get("base"), str) and rates.get(content["base"]) != 1:
        faults.append(f"the base currency {content['base']} must have the rate 1")
    return faults
