"""What positions need and what an order would change: ``sim.margin`` fed with the quotes of this moment.

Options and shares are margined with the whole book of their underlying, options on futures with the futures they scan
together with; futures alone by a table of dollars a contract. Money is product currency, which is US dollars here.
A position without a market raises ``DataError`` where an order asks; a page of the account then shows the last figure
that was known, as a broker's does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Final

from adapters.emulator.exchange.forms import ZERO, Json, effect, signed, text
from adapters.emulator.exchange.listed import EQUITY, FUTURE, Instrument, Prices, last_of, mark_of
from sim.buying_power import with_volatility
from sim.calendar import date_ny
from sim.margin import FutureLine, MarginLine, MarginModel, StockLine
from sim.model.errors import ConfigError, DataError
from sim.model.instrument import Kind

Book = Mapping[str, tuple[Instrument, Decimal]]
"""Signed quantity by symbol."""
FUTURE_MARGIN: Final[Mapping[str, int]] = {
    "ES": 17_000, "MES": 1_700, "NQ": 25_000, "MNQ": 2_500, "RTY": 8_000, "M2K": 800, "YM": 11_000, "MYM": 1_100,
    "CL": 7_400, "MCL": 740, "NG": 5_000, "GC": 9_200, "MGC": 920, "SI": 12_000, "SIL": 2_400, "HG": 7_000,
    "ZB": 4_500, "ZN": 2_200, "6E": 2_400, "M6E": 240, "6B": 2_300, "6A": 2_000, "M6A": 200, "6C": 1_300,
}  # fmt: skip
"""Dollars one outright future needs: the figures of rulebook 4.5 where it has them, estimates for the others."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an order does to buying power. ``margin`` and ``change`` are signed, what it takes is negative."""

    current: Decimal
    margin: Decimal
    change: Decimal
    isolated: Decimal
    spread: bool

    @property
    def after(self) -> Decimal:
        return self.current + self.change

    def json(self) -> Json:
        return {
            **signed("change-in-margin-requirement", self.margin),
            **signed("change-in-buying-power", self.change),
            **signed("current-buying-power", self.current),
            **signed("new-buying-power", self.after),
            **signed("isolated-order-margin-requirement", -self.isolated),
            "is-spread": self.spread,
            "impact": text(abs(self.change)),
            "effect": effect(self.change),
        }


@dataclass(slots=True)
class Margins:
    model: MarginModel
    prices: Prices
    future_margin: Mapping[str, int]

    def group(self, instrument: Instrument) -> tuple[Kind, str]:
        """Under which name an instrument is margined together with others."""
        contract = instrument.contract
        if contract is not None:
            kind, name = contract.product.kind, contract.underlying
        elif instrument.type == FUTURE:
            kind, name = Kind.FUTURE, instrument.root
        else:
            return Kind.EQUITY, instrument.symbol
        try:
            return kind, self.model.group(name, kind)
        except ConfigError:
            return kind, name

    def by_group(self, book: Book) -> dict[tuple[Kind, str], list[tuple[Instrument, Decimal]]]:
        found: dict[tuple[Kind, str], list[tuple[Instrument, Decimal]]] = {}
        for instrument, quantity in book.values():
            if quantity:
                found.setdefault(self.group(instrument), []).append((instrument, quantity))
        return found

    def needed(self, book: Book, now: int) -> dict[tuple[Kind, str], Decimal]:
        """The requirement of every group. DataError where a market is missing."""
        return {key: self.of_group(key, held, now) for key, held in self.by_group(book).items()}

    def of_group(self, key: tuple[Kind, str], held: Sequence[tuple[Instrument, Decimal]], now: int) -> Decimal:
        kind, name = key
        options = [self._option(i, q) for i, q in held if i.is_option]
        if kind is not Kind.FUTURE:
            shares = [StockLine(i.symbol, _whole(q), self._price(i.symbol)) for i, q in held if i.type == EQUITY]
            needed = self._ask(name, kind, [*options, *shares], now)
            whole, part = sum(abs(line.quantity) for line in shares), sum(abs(q) for _, q in held)
            return needed if options or part == whole else _cents(needed * part / whole)
        futures = [(i, q) for i, q in held if i.type == FUTURE]
        if not options:
            return sum((abs(q) * self._outright(i) for i, q in futures), ZERO)
        lines = [FutureLine(i.root, i.root, _whole(q), self._price(i.symbol), i.multiplier) for i, q in futures]
        return self._ask(name, kind, [*with_volatility(options, now), *lines], now)

    def _ask(self, name: str, kind: Kind, lines: Sequence[MarginLine | FutureLine | StockLine], now: int) -> Decimal:
        vix = last_of(self.prices.quote("VIX")) if kind is Kind.FUTURE else None
        try:
            return self.model.requirement(name, kind, lines, date_ny(now), None if vix is None else float(vix))
        except ConfigError as error:
            raise DataError(str(error)) from None

    def _option(self, instrument: Instrument, quantity: Decimal) -> MarginLine:
        contract = instrument.contract
        assert contract is not None, "asked of options only"
        mark = mark_of(self.prices.quote(instrument.symbol), quantity)
        if mark is None:
            raise DataError(f"no quote of {instrument.symbol}: its margin cannot be computed, wait for one")
        return MarginLine(contract, int(quantity), float(mark), self._price(instrument.underlying), 0.0, 0.0)

    def _price(self, symbol: str) -> float:
        price = last_of(self.prices.quote(symbol))
        if price is None:
            raise DataError(f"no price of {symbol}: margin on it cannot be computed, wait for one")
        return float(price)

    def _outright(self, instrument: Instrument) -> Decimal:
        dollars = self.future_margin.get(instrument.root)
        if dollars is None:
            raise DataError(f"no margin of a future {instrument.root} is known; add it to the emulator's table")
        return Decimal(dollars)

    def change(
        self, book: Book, trades: Sequence[tuple[Instrument, Decimal]], cash: Decimal, now: int
    ) -> tuple[Decimal, Decimal, Decimal]:
        """What trading ``trades`` for ``cash`` (signed, before fees) does: (margin, buying power, isolated margin).

        The first two are signed, what is taken is negative. Of an order that is paid for, the margin is all that it
        takes; of one that brings money in, it is the requirement alone, and the money comes on top. Shares that are
        bought count as what is paid for them: a limit far below the market makes nobody richer.
        """
        after = dict(book)
        for instrument, quantity in trades:
            after[instrument.symbol] = (instrument, after.get(instrument.symbol, (instrument, ZERO))[1] + quantity)
        keys = {self.group(instrument) for instrument, _ in trades}
        was, will = self.by_group(book), self.by_group(after)
        needs = [self.of_group(key, will.get(key, []), now) - self.of_group(key, was.get(key, []), now) for key in keys]
        need = sum(needs, ZERO)
        shares = sum((q * Decimal(str(self._price(i.symbol))) for i, q in trades if i.type == EQUITY), ZERO)
        alone = {i.symbol: (i, q) for i, q in trades}
        isolated = sum(self.needed(alone, now).values(), ZERO)
        if cash < 0 < need and shares > 0 and len(trades) == 1:
            need, isolated, shares = _cents(need * -cash / shares), _cents(isolated * -cash / shares), -cash
        power = cash - need + shares
        return (power if cash < 0 else -need), power, isolated


def _whole(quantity: Decimal) -> int:
    """Shares may be fractions: beside options the part counts as a whole one, alone as what it is."""
    return int(abs(quantity).to_integral_value(ROUND_CEILING).copy_sign(quantity))


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)
