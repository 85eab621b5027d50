"""Runs on the imported real quotes, and what came of them in lines that a hand can check."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.compose import compose
from conf.run import Finished, execute
from sim.calendar import ny


def play(home: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Finished:
    monkeypatch.setenv("TOMKING_HOME", str(home))
    return execute(compose(["market=real", "report=none", *words]), home)


def both(home: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[Finished]:
    """The same run by search and minute by minute."""
    monkeypatch.setenv("TOMKING_HOME", str(home))
    config = compose(["market=real", "report=none", *words])
    drivers = [{**config["adapter"], "driver": name} for name in ("jump", "every_minute")]
    return [execute(config | {"adapter": adapter}, home) for adapter in drivers]


def told(run: Finished) -> list[str]:
    """Every fill as ``12-24 09:46 4.20: -1 590P 16-03-18 2.60, -1 905C 16-03-18 1.60`` (New York, points of one unit,
    credit positive), then every trade that ended with its reason and P/L, those still open, and what was refused."""
    out = []
    for f in run.result.fills:
        unit = f.legs[0].contract.product.increment
        legs = [
            f"{leg.quantity:+d} {leg.contract.label} {leg.contract.expiration:%y-%m-%d} {leg.price * unit:.2f}"
            for leg in f.legs
        ]
        out.append(f"{ny(f.ts):%m-%d %H:%M} {f.net * unit:.2f}: {', '.join(legs)}")
    out += [f"{c.trade.structure} {c.exit_reason} {c.gross:.2f}" for c in run.result.closed]
    out += [f"{b.trade.structure} open" for b in run.result.open]
    refused = [r.refused for r in run.result.refusals]
    return [*out, *(f"{r.rule}: {r.reason} ({r.detail})" for r in refused)]
