"""Whatever the embedded market lists has a fee, a margin and a correlation group in the default configuration."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sim.fees import FeeSchedule
from sim.margin.lines import MarginLine
from sim.market.synthetic import named_market
from sim.model.instrument import Kind, OptionContract, Product, Right, Series, strike_e4
from tests.margins import MODEL, TODAY
from tests.synth import FRIDAY
from tests.unit.test_fees import load

PRODUCTS = {product.root: product for product in named_market("es_sample").products()}
UNDERLYINGS = sorted({product.underlying for product in PRODUCTS.values()})
PRICES = {"6E": 1.1, "ZB": 125.0, "CL": 80.0, "MCL": 80.0, "GC": 2000.0, "MGC": 2000.0, "TLT": 95.0, "GLD": 190.0}


@pytest.fixture(scope="module")
def fees() -> FeeSchedule:
    return load("tastytrade")


def test_every_product_has_a_fee_of_its_class(fees: FeeSchedule) -> None:
    micro = {"MES", "MCL", "MGC"}
    for product in PRODUCTS.values():
        opening = {
            Kind.FUTURE: "2.37" if product.underlying in micro else "3.37", Kind.INDEX: "1.77", Kind.EQUITY: "1.12",
        }[product.kind]  # fmt: skip
        assert fees.option_fee(product, 1, opening=True) == Decimal(opening), product.root


def _naked(product: Product, price: float) -> MarginLine:
    strike = strike_e4(round(price * 0.95, 2))
    series = Series(product, FRIDAY, "X" if product.kind is Kind.FUTURE else "")
    return MarginLine(OptionContract(series, strike, Right.PUT), -1, 0.01 * price, price, 0.2, 0.1)


@pytest.mark.parametrize("underlying", UNDERLYINGS)
def test_every_underlying_has_a_margin(underlying: str) -> None:
    """One naked put, 5 % out of the money: between 1 and 20 % of what its underlying is worth."""
    product = next(p for p in PRODUCTS.values() if p.underlying == underlying)
    price = PRICES.get(underlying, 5000.0 if underlying in ("ES", "MES", "SPX") else 480.0)
    needed = MODEL.requirement(underlying, product.kind, [_naked(product, price)], TODAY, 15.0)
    assert 0.01 < float(needed) / (price * float(product.multiplier)) < 0.20


def test_a_broad_index_asks_for_15_per_cent_and_a_fund_for_20() -> None:
    spx, spy = (
        MODEL.requirement(root, PRODUCTS[root].kind, [_naked(PRODUCTS[root], 1000.0)], TODAY, None)
        for root in ("SPX", "SPY")
    )
    assert (spx, spy) == (Decimal("11000"), Decimal("16000"))  # share less 5 % out of the money, and the premium


def test_every_underlying_has_a_group() -> None:
    rules = OmegaConf.load(Path(__file__).parents[2] / "conf" / "rules" / "default.yaml")
    members = {name for group in rules.correlation.groups.values() for name in group}
    assert set(UNDERLYINGS) <= members
