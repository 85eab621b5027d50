"""``docs/rules.md``, made from the gate and the configuration of a default run: ``python -m tests.rulebook`` writes it.

Here stands what code does not know: where a rule comes from, and which test shows it. A rule or a duty without a row, a
row without a rule, and a test that does not exist fail ``tests/unit/test_rules_doc.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conf.compose import compose
from conf.gate import OVERLAYS, Rules, rules
from sim.rules.regime import Regime
from tests.scenarios_table import SCENARIOS

PATH: Final = Path(__file__).resolve().parents[1] / "docs" / "rules.md"
WIDE: Final = "market=es_sample"


@dataclass(frozen=True, slots=True)
class Row:
    """``overlays``: what may be chosen instead, as one would write it. ``tests``: file::Class or file::test."""

    source: str
    tests: str
    overlays: str = ""


RULES: Final[Mapping[str, Row]] = {
    "freshness": Row("5.7 (PY, GMS)", "test_rules.py::TestMarketRules::test_freshness"),
    "market_open": Row(
        "3.1, 3.2, 9.5",
        "test_rules.py::TestMarketRules::test_market_open, test_rules.py::TestMarketRules::test_early_close",
        "`market_open.early_close=true`",
    ),
    "entry_window": Row("3.1 SEED; latest 14:00 TWS", "test_rules.py::TestMarketRules::test_entry_window"),
    "entry_days": Row("3.2, 3.3 SEED, PDF p14, p26, p47", "test_days_and_vix.py::TestEntryDays"),
    "volume": Row("3.1 PDF p24", "test_rules.py::TestMarketRules::test_volume"),
    "never_trade": Row("3.13 PDF p6-7", "test_phases.py::TestNeverTrade", "`never_trade.experience_years=2` for NG"),
    "phase": Row(
        "3.0, 4.1, 4.2 V17, CORE",
        "test_phases.py::TestBounds, test_phases.py::TestUnlocks, test_phases.py::TestTickers",
        "`rules=earned` (PBP), `phase.hysteresis=0.05`",
    ),
    "vix_regime": Row(
        "1.1 SEED, PDF p11-12; edges V17",
        "test_rules.py::TestRegime, test_days_and_vix.py::TestPutsOnly",
        "`regime=` none, mrp, rr, core, gated; `regime.halt_above=50` (BTS)",
    ),
    "vix_jump": Row("1.3, 5.5 PDF p39", "test_days_and_vix.py::TestVixJump", "`vix_jump.halt=true` (6.5)"),
    "drawdown": Row(
        "5.2 PDF p3, p12; label SEED",
        "test_drawdown.py::TestSteps, test_drawdown.py::TestRests",
        "`drawdown.rest_days` null: until recovered",
    ),
    "emergency": Row("5.5 MRP", "test_breakers.py::TestEmergency", "off; `emergency.enabled=true`"),
    "black_swan": Row("8.1 PDF p12", "test_duties.py::TestBlackSwan"),
    "breakers": Row("5.5 CBT, PY", "test_breakers.py::TestLosses, test_breakers.py::TestBuyingPower", "each null: off"),
    "track_record": Row("5.1 PDF p2-3, CDN", "test_sizing.py::TestTrackRecord", "off; `track_record.enabled=true`"),
    "intraday": Row("5.5 CBT, MRP, PY", "test_overlays.py::TestIntraday", "off; `intraday.enabled=true`"),
    "correlation_spike": Row(
        "5.5 CBT, MRP; returns of 2.5",
        "test_overlays.py::TestCorrelationSpike",
        "off; `correlation_spike.enabled=true`",
    ),
    "greeks": Row(
        "5.3 REC, 5.4 SPYC, MRP",
        "test_overlays.py::TestGreeks",
        "off; `greeks.enabled=true`, `greeks.spy_shares=[300,500,750,1000]`",
    ),
    "correlation": Row(
        "2.1, 2.2, 2.4 SEED, PDF p12, p36",
        "test_rules.py::TestCorrelation, test_groups.py::TestHighVix, test_phases.py::TestUnits",
        "`correlation.tighter_above_vix=30`",
    ),
    "same_expiration": Row("6.5 PDF", "test_days_and_vix.py::TestSameExpiration", "`same_expiration.block=[...]`"),
    "positions": Row(
        "3.0, 4.4 V17, MRP, AUG5", "test_phases.py::TestPositions", "`positions.total=[4, 6, 8, 12]` (PDF p36)"
    ),
    "buying_power": Row(
        "1.1, 4.3 PDF p2, p11",
        "test_rules.py::TestCapital, test_phases.py::TestBuyingPower",
        "`buying_power.apply_reserve_multiplier=true`",
    ),
    "risk_per_trade": Row("5.1 PDF p11, p48", "test_rules.py::TestCapital::test_risk_at_the_stop_and_at_worst"),
    "group_stress": Row(
        "2.5, 5.1 REC; PDF p3 literally is delta_notional",
        "test_stress.py::TestRule, test_stress.py::TestShock",
        "`group_stress.mode=` delta_notional, none; `group_stress.tail.moves=[-0.10, 0.10]`",
    ),
    "credit": Row("3.1 REC, 5.7 CSS", "test_rules.py::TestMarketRules::test_credit"),
}
"""By code, in any order: the document has the gate's own."""

DUTIES: Final[Mapping[str, Row]] = {
    "black_swan": Row("8.1 PDF p12", "test_duties.py::TestBlackSwan"),
    "drawdown": Row("5.2 PDF p3, p12, p39", "test_duties.py::TestDrawdown"),
    "emergency": Row("5.5 MRP", "test_duties.py::TestTogether::test_emergency_levels_close_too", "off"),
    "margin_call": Row("8.1 PDF p12", "test_duties.py::TestMarginCall", "`duties.margin_call.share`"),
    "close_all_except_puts": Row(
        "1.1, 6.2 PDF p39", "test_duties.py::TestHighVix", "`duties.close_all_except_puts.above`"
    ),
    "group_over": Row("8.1 PDF p38, RM0", "test_duties.py::TestGroupOver", "`duties.group_over.enabled=false`"),
}

HEAD: Final = """\
# The rules, one by one

Made from the code and the configuration by `python -m tests.rulebook`; the suite fails where this page is out of date.
Numbers stand in `conf/rules` and `conf/regime`; change one with `rules.<rule>.<key>=<value>`, leave a rule out with
`rules.<rule>.enabled=false` (the report says so). Sources are sections of the rulebook with its own tags for where they
come from (SEED, PDF page, V17, ...; REC: the rulebook's recommendation).

## The gate, in its order

The first rule that objects refuses. An order that closes passes always.

| rule | by default | overlay | source | test |
|---|---|---|---|---|
"""
UNITS: Final = """
One position is one strategy unit on one underlying, whatever its legs and contracts (rulebook 2.2). All trades of
`units.together` on one underlying are one position; a structure of `units.parts` belongs to the position that it adds
to. Bounds of phases, unlocks and tables stand in account currency: the rulebook's are pounds, and an account in dollars
uses the same figures. A strategy that a table does not name is not limited by that table.

After ORANGE or RED an account rests for two weeks at most, then the ladder counts from a new start at half size: the
rulebook ends neither state, and an account that has closed everything could never recover otherwise.

## Phases

By net liquidation. {minimum}

| phase | from | buying power at most | positions | tickers |
|---|---|---|---|---|
{phases}

| strategy | positions in phases 1 to 4 | from | trades whatever the phase |
|---|---|---|---|
{strategies}

## Bands of VIX

`regime=` chooses one: [from, below) with the buying-power cap and the size factor.

| regime | bands | strategies that enter in a range only |
|---|---|---|
"""
DUTY_HEAD: Final = """
## Duties

What is closed unasked, before any strategy is asked; the first duty that names a trade gives the reason.

| duty | by default | overlay | source | test |
|---|---|---|---|---|
"""
LEFT: Final = """
## What no rule does

- The levels of 80 % and 150 % of a breaker (5.5): size is halved by the drawdown ladder and by a jump of VIX, and the
  duties close; a breaker only refuses, until the time or the loss that it names is over.
- The six sets of limits on Greeks (5.3) literally: they contradict one another in sign. `greeks` has them symmetric, as
  shares of the account, and in shares of SPY for the S&P (5.4).
- Stock lists of 3.13 without symbols (Chinese ADRs, biotech, penny stocks, SPACs): write the symbols into
  `rules.never_trade.symbols`.
- The calendars of events (3.15) and seasons (3.14): advisory in every source.

## Scenarios

The rows of the rulebook's chapter 7.

| row | says | where it is shown |
|---|---|---|
"""


def built() -> Rules:
    """The default gate with its overlays."""
    return rules(compose([WIDE, *(f"rules.{name}.enabled=true" for name in OVERLAYS)]))


def regimes() -> Iterator[Regime]:
    for path in sorted((PATH.parents[1] / "conf" / "regime").glob("*.yaml")):
        yield Regime.of(compose([WIDE, f"regime={path.stem}"])["regime"])


def render() -> str:
    """The whole page."""
    made = built()
    lines = [HEAD.rstrip("\n")]
    lines += [_row(rule.code, rule.describe(), RULES[rule.code]) for rule in made.gate.rules]
    lines.append(UNITS.rstrip("\n").format(**_tables(compose([WIDE])["rules"])))
    for regime in regimes():
        ranges = sorted({*regime.entries_from, *regime.entries_below})
        only = "; ".join(
            f"{name} {f'from {regime.entries_from[name]:g}' if name in regime.entries_from else ''}"
            f"{f' below {regime.entries_below[name]:g}' if name in regime.entries_below else ''}".replace("  ", " ")
            for name in ranges
        )
        lines.append(f"| `{regime.name}` | {regime.describe()} | {only or 'none'} |")
    lines.append(DUTY_HEAD.rstrip("\n"))
    lines += [_row(duty.code, duty.describe(), DUTIES[duty.code]) for duty in made.duties.duties]
    lines.append(LEFT.rstrip("\n"))
    lines += [f"| {each.name} | {each.says} | {each.where} |" for each in SCENARIOS]
    return "\n".join(lines) + "\n"


def _tables(config: Mapping[str, Any]) -> dict[str, str]:
    """The tables of phases and strategies, from the configuration."""
    phase, places = config["phase"], config["positions"]
    rows = zip(phase["bounds"], phase["bp_cap"], places["total"], phase["tickers"], strict=True)
    unlocks = phase["unlocks"]
    strategies = []
    for name, numbers in places["by_strategy"].items():
        more = "".join(f"; {n} from {least:,}" for least, n in places["more"].get(name, ()))
        least = unlocks.get(name, "any")
        if isinstance(least, Mapping):
            least = ", ".join(f"{symbol} {value:,}" for symbol, value in least.items())
        own = ", ".join(phase["own_tickers"].get(name, ())) or "-"
        least = f"{least:,}" if isinstance(least, int) else least
        strategies.append(f"| `{name}` | {', '.join(map(str, numbers))}{more} | {least} | {own} |")
    return {
        "minimum": f"Below {phase['bounds'][0]:,} nothing is opened.",
        "phases": "\n".join(
            f"| {number} | {low:,} | {cap:.0%} | {total} | {', '.join(tickers)} |"
            for number, (low, cap, total, tickers) in enumerate(rows, 1)
        ),
        "strategies": "\n".join(strategies),
    }


def _row(code: str, says: str, row: Row) -> str:
    tests = ", ".join(f"`{name.strip()}`" for name in row.tests.split(","))
    return f"| `{code}` | {says} | {row.overlays or '-'} | {row.source} | {tests} |"


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
