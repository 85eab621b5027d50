"""The words of the command line and what ``--help`` says. Text only, so that it is shown at once."""

from __future__ import annotations

from typing import Final

from sim.model.errors import similar

__all__ = ["HELP", "LATER", "WORDS", "similar"]

WORDS: Final = {
    "backtest": "backtest",
    "data": "data",
    "report": "reports",
    "explain": "explain",
    "verify": "verify",
    "doctor": "doctor",
    "emulator": "emulator",
    "scenario": "scenario",
    "paper": "paper",
    "live": "live",
    "account": "account",
    "manual": "manual",
}
"""Command to the module in conf/ that carries it out."""

LATER: Final = {
    "sweep": "it arrives with the sweeps; run `tomking backtest` once a variant until then",
}
"""Words of the plan that are not built yet, and what to do instead."""

HELP: Final = """\
tomking: prove an option-selling rule before it costs money

usage: tomking COMMAND [group=choice] [group.key=value] [--json] [--debug] [--config-dir DIR]

commands
  backtest                         one run: prints a summary, leaves a folder under runs/
  data list                        the markets that are here
  data import VENDOR PATH --to M   vendor files into market M (vendors: lean, table)
  data record U --to M adapter=A   quotes as they come into market M
  data check M                     is each day of market M fit to trade on
  data synth [--export DIR]        make the embedded market; write a part of it as Parquet
  report RUN [--compare RUN]       rebuild a run's page, or compare two runs
  explain RUN [--date D]           why it traded and why it did not, rule by rule
  verify lookahead RUN             the same decisions with the data cut at each of them
  verify replay RUN                the same run or session again, byte for byte
  verify parity [strategy=...]     a day by replay and through the emulator: the same orders, fills and P/L
  doctor                           versions, calendar, store, credentials present or not
  doctor adapter=sandbox           walks there: login, account, quotes, an order placed and cancelled; asks first
  emulator                         serve TastyTrade's wire on this machine
  paper                            the same strategy on the wall clock: an emulated day offline, or adapter=sandbox
  live arm|disarm|status           the written key of real money
  live adapter=production          real money, or without both keys shadow: everything but sending
  account show|reconcile|flatten   the live book of a running session, or the broker's word; stop, resume, cancel
  manual show|fill|quote ...       orders by hand while the broker is away, typed into a running session
  scenario list|run NAME|all       the suite that must hold before a change is trusted

Each has a page of its own: `tomking backtest --help`, `tomking data record --help`.

groups (choose with group=name, change with group.key=value)
  strategy  zero_dte, lt112, strangle, ipmcc, leap_puts, ratio, butterfly, diagonal, box, enhanced_strangle,
            hedge_calls, batman, opportunity, framework, fixed_legs, bench_condor, nobody, custom, ./my.yaml
  market    es_2024, es_2020_2024, es_sample, or any imported market
  regime    vix, mrp, rr, core, gated, none
  rules     default, earned, none
  fill      default, mid, natural, at_decision
  fees      tastytrade, none         margin   default, none
  account   default                  report   html, none
  adapter   replay, emulator, sandbox, production
  experiment  a pinned study of conf/experiment

examples
  tomking backtest
  tomking backtest strategy.entry.weekday=thursday strategy.offset=40 fill=natural
  tomking backtest strategy=fixed_legs market=real start=2015-12-24 end=2015-12-24 --json

Add --cfg to print the composed configuration without running. Exit codes: 0 done, 1 a check failed, 2 usage or
configuration, 3 stopped by a risk rule, 4 the broker or the network."""
