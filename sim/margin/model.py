"""The margin model that a configuration builds: which method for which kind, and the numbers of each.

It refuses a configuration with an unknown or missing word, a book whose lines do not belong together, and a product
that it has no range for. It knows no account, no currency rate and no order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from sim.margin import regt, span
from sim.margin.config import Rules, compiled
from sim.margin.lines import FutureLine, Line, MarginLine, StockLine, check, money, option_value
from sim.margin.ranges import PriceRange
from sim.model.errors import ConfigError, DataError
from sim.model.instrument import Kind

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class MarginModel:
    """Plain mappings as in ``conf/margin``, checked when it is built (ConfigError).

    ``methods``: kind -> ``reg_t``, ``span`` or ``none``. ``reg_t``: rates of naked options by kind, and of shares.
    ``span``: the scan's numbers. ``products``: price ranges by underlying.
    """

    name: str
    methods: Mapping[str, str]
    reg_t: Mapping[str, object] = field(default_factory=dict)
    span: Mapping[str, object] = field(default_factory=dict)
    products: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    _rules: Rules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rules", compiled(self.name, self.methods, self.reg_t, self.span, self.products))

    def group(self, underlying: str, kind: Kind) -> str:
        """The name under which lines must be handed over together: ES for MES under the scan, else the underlying."""
        return self._range(underlying).group if self._rules.methods[kind] == "span" else underlying

    def requirement(self, underlying: str, kind: Kind, lines: Sequence[Line], on: date, vix: float | None) -> Decimal:
        """What cash must cover for all positions on ``underlying`` on New York date ``on``: product currency, >= 0.

        Give the lines of the whole group where products scan together: MES with ES. ``vix`` in points is read only
        where a price range depends on it. DataError where an input is missing or a line belongs elsewhere.
        """
        method = self._rules.methods[kind]
        if method == "none":
            return ZERO
        scanned = method == "span"
        for line in lines:
            check(line, volatility=scanned)
        options = [line for line in lines if isinstance(line, MarginLine)]
        if wrong := [line.contract for line in options if line.contract.product.kind is not kind]:
            raise DataError(
                f"margin of {underlying}: {wrong[0].symbol} is on {wrong[0].product.kind.value}, "
                f"not on {kind.value}; ask for each kind apart"
            )
        if method == "reg_t":
            return self._reg_t(underlying, kind, options, lines)
        return self._span(underlying, options, lines, on, vix)

    def used(self, underlying: str, kind: Kind, lines: Sequence[Line], on: date, vix: float | None) -> Decimal:
        """Buying power: the requirement plus the signed value of the options, product currency, 0 or more."""
        if self._rules.methods[kind] == "none":
            return ZERO
        needed = self.requirement(underlying, kind, lines, on, vix)
        return max(needed + money(option_value(lines)), ZERO)

    def _reg_t(self, underlying: str, kind: Kind, options: Sequence[MarginLine], lines: Sequence[Line]) -> Decimal:
        stocks = [line for line in lines if isinstance(line, StockLine)] if len(options) < len(lines) else []
        names = {line.contract.underlying for line in options} | {line.symbol for line in stocks}
        if names - {underlying} or len(options) + len(stocks) < len(lines):
            strange = sorted(names - {underlying}) or ["a future"]
            raise DataError(f"margin of {underlying}: the book holds {strange[0]} too; ask for each underlying apart")
        return regt.requirement(options, stocks, self._rules.naked[kind], self._rules.stock)

    def _span(
        self, underlying: str, options: Sequence[MarginLine], lines: Sequence[Line], on: date, vix: float | None
    ) -> Decimal:
        futures = [line for line in lines if isinstance(line, FutureLine)]
        if len(options) + len(futures) < len(lines):
            raise DataError(f"margin of {underlying}: the book holds shares, which the scan does not know")
        if not lines:
            return ZERO
        group = self._range(underlying).group
        names = sorted({line.contract.underlying for line in options} | {line.underlying for line in futures})
        ranges = [self._range(name) for name in names]
        if strange := [each.product for each in ranges if each.group != group]:
            raise DataError(f"margin of {underlying}: {strange[0]} does not scan together with it; ask for it apart")
        price = max([*(line.forward for line in options), *(line.price for line in futures)])
        rule = self._rules.span
        points = max(each.points(on, price, vix, rule.stale_after_days) for each in ranges)
        return money(span.requirement(options, futures, points, rule))

    def _range(self, underlying: str) -> PriceRange:
        found = self._rules.ranges.get(underlying)
        if found is None:
            known = ", ".join(sorted(self._rules.ranges)) or "none"
            raise ConfigError(
                f"margin {self.name!r}: no price range for {underlying}, only for {known}; "
                f"add margin.products.{underlying}"
            )
        return found
