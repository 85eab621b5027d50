"""Margin models from ``conf/margin`` and the products that the margin tests put into them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf

from sim.margin import FutureLine, MarginModel
from sim.model.instrument import Exercise, Kind, Product, Style, TickTable

TICKS = TickTable(((None, Decimal("0.05")),))
NEAR, FAR = date(2024, 7, 5), date(2024, 8, 16)
TODAY = date(2024, 7, 1)
XYZ = Product("XYZ", "XYZ", Kind.EQUITY, Decimal(100), TICKS, Style.AMERICAN, Exercise.PM_PHYSICAL, "OPRA")
SPXW = Product("SPXW", "SPX", Kind.INDEX, Decimal(100), TICKS, Style.EUROPEAN, Exercise.PM_CASH, "CBOE")
SPX = Product("SPX", "SPX", Kind.INDEX, Decimal(100), TICKS, Style.EUROPEAN, Exercise.AM_CASH, "CBOE")
ES = Product("EW1", "ES", Kind.FUTURE, Decimal(50), TICKS, Style.EUROPEAN, Exercise.PM_PHYSICAL, "CME")
MES = Product("EX1", "MES", Kind.FUTURE, Decimal(5), TICKS, Style.EUROPEAN, Exercise.PM_PHYSICAL, "CME")


def load(name: str = "default", **span: Any) -> MarginModel:
    """The model of ``conf/margin/NAME.yaml``, with the given values of ``span`` in place of its own."""
    return _made(name, span) if span else _plain(name)


@cache
def _plain(name: str) -> MarginModel:
    """Frozen, so that one serves all."""
    return _made(name, {})


def _made(name: str, span: Mapping[str, Any]) -> MarginModel:
    conf = OmegaConf.load(Path(__file__).parents[1] / "conf" / "margin" / f"{name}.yaml")
    if span:
        conf = OmegaConf.merge(conf, {"span": span})
    made = instantiate(conf)
    assert isinstance(made, MarginModel)
    return made


MODEL = load()


def future(quantity: int, price: float = 5500.0, root: str = "ES") -> FutureLine:
    """``quantity`` of ES or MES itself."""
    return FutureLine(root, root, quantity, price, Decimal(50 if root == "ES" else 5))
