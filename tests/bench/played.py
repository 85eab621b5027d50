"""The engine on the workload: import it, run it, and say what it did in the oracle's words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.vendors.mapping import TableMapping, read_mapping
from adapters.vendors.table import import_table
from conf.compose import HERE, compose
from conf.run import Finished, execute
from sim.calendar import load_calendar
from sim.ledger import ClosedTrade
from sim.market.manifest import Manifest
from sim.model.market import MINUTE_NS
from tests.bench.oracle import ENTRY, Trade
from tests.bench.workload import VENUE, Files

MARKET: Final = "bench"
PLAIN: Final = ("strategy=bench_condor", f"market={MARKET}", "report=none")
GATE: Final = (
    "rules=default",
    "regime=vix",
    "fees=tastytrade",
    "market.vix=previous_close",
    "+rules.entry_window.windows.bench_condor=['10:30','14:00']",
    "+rules.volume.least.bench_condor=0",
    "rules.correlation.groups.A1=[BENCH]",
    "rules.correlation.limits.A1=100",
    "rules.correlation.account_cap=[[0,100]]",
    "rules.correlation.union_cap=100",
    "rules.buying_power.hard_cap=1",
    "+rules.buying_power.least_free.bench_condor=0",
    "rules.risk_per_trade.at_stop=1",
    "rules.risk_per_trade.max_loss=1",
    "rules.credit.max_width=1000",
    *(
        f"rules.{rule}.enabled=false"
        for rule in (
            "duties", "entry_days", "never_trade", "phase", "vix_jump", "drawdown", "black_swan", "breakers",
            "same_expiration", "positions", "group_stress",
        )
    ),
)  # fmt: skip
"""Words that turn fees and the gate of a same-day spread on, with limits that refuse nothing on this workload."""
EVERY: Final = (
    *(word for word in GATE if not word.endswith(".enabled=false")),
    "rules.drawdown.yellow=0.96",
    "rules.drawdown.orange=0.97",
    "rules.drawdown.red=0.98",
    "rules.drawdown.terminal=0.99",
    "rules.breakers.losses=1000",
    "rules.breakers.day=1",
    "rules.breakers.week=1",
    "rules.breakers.month=1",
    "rules.breakers.day_rate=1",
    "rules.positions.total=[100,100,100,100]",
)
"""The same with every rule of the framework, and the account's duties, which look at every open trade five times a
day."""

_REASONS: Final = {"profit_target": "profit", "stop_loss": "stop", "time": "time"}


def default_mapping() -> TableMapping:
    """``conf/vendor/table.yaml`` as it stands."""
    from omegaconf import OmegaConf

    words = OmegaConf.to_container(OmegaConf.load(HERE / "vendor" / "table.yaml"), resolve=True)
    assert isinstance(words, dict), "the mapping is a mapping"
    return read_mapping({str(k): v for k, v in words.items()})


def import_files(files: Files, root: Path, name: str = MARKET) -> Manifest:
    """The workload into market ``name`` of the store under ``root``, with the default mapping."""
    return import_table(files.chain, bars=files.bars, mapping=default_mapping(), root=root, to=name)


def play(root: Path, *words: str, driver: str = "jump") -> Finished:
    """The neutral rule on the imported workload; ``TOMKING_HOME`` must be ``root``."""
    return execute(compose([*PLAIN, f"adapter.driver={driver}", *words]), root)


def trades(finished: Finished) -> tuple[Trade, ...]:
    """The closed trades as the oracle writes them."""
    return tuple(_trade(closed) for closed in finished.result.closed)


def _trade(closed: ClosedTrade) -> Trade:
    trade = closed.trade
    opened = load_calendar().session(VENUE, trade.session).open_ns
    entry, left = ((ns - opened) / MINUTE_NS for ns in (trade.opened_ns, closed.closed_ns))
    assert entry == ENTRY, f"{trade.session}: opened at minute {entry}, wanted {ENTRY}"
    assert left.is_integer(), f"{trade.session}: closed at minute {left}, wanted a whole one"
    cost = closed.debit / trade.legs[0].contract.product.increment
    assert cost == int(cost), f"{trade.session}: closed for {closed.debit}, wanted whole ticks"
    return Trade(trade.session, ENTRY, int(left), trade.credit, int(cost), _REASONS[closed.exit_reason])


def same_fills(one: Finished, other: Finished) -> bool:
    """Whether two runs filled the same legs at the same prices and instants. Order ids carry the run and may differ."""
    return _fills(one) == _fills(other)


def _fills(finished: Finished) -> Sequence[object]:
    return [(f.ts, f.k, f.net, f.quantity, f.legs) for f in finished.result.fills]
