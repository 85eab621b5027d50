"""What ``tomking COMMAND --help`` says. Text only, so that it is shown at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from conf.words import HELP

HELPS: Final[Mapping[str, str]] = {
    "backtest": """\
tomking backtest: one run; prints a summary and leaves a folder under runs/ with its report

usage: tomking backtest [group=choice] [group.key=value] [--json] [--cfg] [--config-dir DIR]

  strategy=lt112            the rule; strategy=./my.yaml is one of your own; `tomking --help` has all groups
  strategy.offset=40        any key of it
  market=es_2024            `tomking data list` has the names
  start=2024-07-01 end=2024-07-31
  --cfg                     print the composed configuration and run nothing; with --json as JSON
  --json                    one JSON document: run_dir, notice, metrics
  --config-dir DIR          groups of your own

  tomking backtest strategy=lt112 market=es_2024 account.nlv=75000
  tomking backtest strategy=zero_dte fill=natural start=2024-08-01 end=2024-08-16 --json""",
    "data": """\
tomking data: the markets that are here: import, record, list, check, make

usage: tomking data list|check|import|record|synth ...

  data list                        the markets that are here
  data check NAME                  is each day fit to trade on
  data import VENDOR PATH --to M   vendor files into market M
  data record U --to M adapter=A   quotes as they come into market M
  data synth                       the embedded market; with --export a part of it as Parquet

  tomking data list --json
  tomking data check --help""",
    "data list": """\
tomking data list: the markets that are here, what they hold and from when to when

usage: tomking data list [--json]

synthetic: made by the model here, or recorded from it. imported: from a vendor's files, or recorded from the broker.

  tomking data list
  tomking data list --json""",
    "data check": """\
tomking data check: is each day of a market fit to trade on, and why not; exit code 1 where one is not

usage: tomking data check NAME [--underlying U] [--json]

  --underlying ES   of this one alone; a market that is made here is checked on ES unless told otherwise

  tomking data check es_sample
  tomking data check mine --underlying SPY --json""",
    "data import": """\
tomking data import: a vendor's files into a market of the store; what is there is merged, never lost

usage: tomking data import lean|table PATH --to NAME [--underlying BARS] [--mapping FILE] [key=value] [--json]

  --to NAME            the market; it is made where there is none
  --underlying BARS    table: the underlying's own bars
  --mapping FILE       table: what the columns mean; begin with a copy of conf/vendor/table.yaml
  key=value            table: one key of the mapping

  tomking data import lean ~/lean/Data --to real
  tomking data import table chain.parquet --underlying bars.parquet --to bench""",
    "data record": """\
tomking data record: your own history, quote by quote, from TastyTrade's market data

usage: tomking data record UNDERLYING ... --to NAME adapter=emulator|sandbox|production [--for 2h]

It records until Ctrl-C, or for as long as --for says. One row a minute for each option that was quoted in it; minutes
of the underlying are filled back to the open, or to where the last recording ended. What was missed is noted as a gap.

  tomking data record SPY VIX --to mine adapter=production --for 6h30m
  tomking data record ES --to tried adapter=emulator adapter.speed=60 --for 30m
  --days 7       expirations of the next 7 days; 0: today's
  --near 5       strikes within 5 % of the price
  --back 0       minutes of the underlying from so many sessions before today's
  --most 4000    contracts at most; each underlying has its share, and what is left out is named
  --save 15m     what was recorded goes to the store this often, and at the end

The sandbox's quotes are 15 minutes late: instants are put back, and the market says DELAYED 15 MIN. What is recorded
from an emulator of a model market says SYNTHETIC. A market takes quotes of one kind only, and is made with the first
of them. Nothing is ordered. Then: tomking data check NAME, tomking backtest market=NAME""",
    "data synth": """\
tomking data synth: makes the embedded market, which is else made when it is asked for; writes a part of it as Parquet

usage: tomking data synth [market=NAME] [seed=N] [--export DIR] [--underlying ES] [--start DAY] [--end DAY] [--json]

  market=es_sample   es_2024, es_2020_2024, es_sample
  --export DIR       a file for each session and expiration
  --underlying ES    which of the market's
  --start, --end     2024-08-02

  tomking data synth market=es_sample
  tomking data synth market=es_sample --export out --start 2024-08-02 --end 2024-08-02""",
    "report": """\
tomking report: rebuilds the page of a run from its folder, or sets two runs side by side

usage: tomking report RUN [--compare RUN] [--json]

RUN is the folder that `tomking backtest` printed. Writes RUN/report.html, or RUN/compare.html.

  tomking report runs/2026-08-15/101500-zero_dte
  tomking report runs/2026-08-15/101500-zero_dte --compare runs/2026-08-15/102000-lt112""",
    "explain": """\
tomking explain: why a run traded and why it did not, rule by rule; or the state of one minute

usage: tomking explain RUN [--date DAY] [--at HH:MM] [--json]

  --date 2024-08-02   of this day alone
  --at 10:30          with --date: the market, every position and the account at this minute, New York

  tomking explain runs/2026-08-15/101500-zero_dte --date 2024-08-02
  tomking explain runs/2026-08-15/101500-zero_dte --date 2024-08-05 --at 09:30""",
    "verify": """\
tomking verify: proofs about a run; exit code 1 where one does not hold

usage: tomking verify replay|lookahead RUN [--json]
       tomking verify parity [strategy=...] [market=...] [date=YYYY-MM-DD] [--json]

  replay      the same run again, every table byte for byte; of a live session every decision of its journal
  lookahead   the same decisions with the data cut at each of them
  parity      a day by replay, and through the emulator over real sockets: the same orders, fills and P/L

  tomking verify replay runs/2026-08-15/101500-zero_dte
  tomking verify parity strategy=lt112 market=es_2024 date=2024-03-06 account.nlv=150000
  tomking verify lookahead runs/2026-08-15/101500-zero_dte --json""",
    "doctor": """\
tomking doctor: what this machine has; with an adapter, the way to its broker step by step

usage: tomking doctor [adapter=emulator|sandbox|production] [--yes] [--json]

Alone it sends nothing: versions, calendar, store, credentials present or not, never their values. With an adapter it
walks: network and clock, credentials, account, quotes, one order that cannot fill, placed and cancelled. It asks before
each step that sends something. In production no order is sent.

  --yes                     do not ask
  adapter.account=NUMBER    another account than the first

  tomking doctor
  tomking doctor adapter=sandbox""",
    "emulator": """\
tomking emulator: TastyTrade's REST API, DXLink and account streamer on this machine, offline

usage: tomking emulator [market=NAME] [adapter.KEY=VALUE ...] [--cfg]

When it is ready it prints one line of JSON: rest, account_streamer, dxlink, client_secret, refresh_token, accounts.
It serves until Ctrl-C. Without options it opens at 10:00 New York on the first Friday of es_sample, at real speed.

  market=es_sample            any market: es_sample, es_2024, es_2020_2024, or an imported one
  adapter.port=0              7475; 0 takes a free port
  adapter.start="'2024-08-05 09:30'"   New York instant
  adapter.speed=60            a minute of the market a second
  adapter.paused=true         time stands until POST /emulator/clock/step {"seconds": 60}
  adapter.underlyings=[ES,SPX,SPY,VIX]
  adapter.listing.days=60     chains show expirations of the next 60 days only
  adapter.accounts=[5WT00001,5WT00002]
  adapter.profile=market-simulator     or classic-cert, scripted
  adapter.delayed=true        market data 15 minutes behind, as in the sandbox
  --cfg                       print the composed configuration and serve nothing; with --json as JSON

  tomking emulator adapter.port=0 adapter.speed=60
  tomking emulator market=es_2024 adapter.start="'2024-08-05 09:30'"

Faults, the clock, scripts, expiring tokens and the reset are under /emulator of the same port; docs/emulator.md.""",
    "paper": """\
tomking paper: the strategy of a backtest on the wall clock, on paper; leaves a run's folder, with its journal

usage: tomking paper [adapter=emulator|sandbox] [group=choice] [group.key=value] [--until HH:MM] [--screen] [--json]
                    [--resume RUN | --fresh]

adapter=emulator, the default, needs nothing: it serves a Friday of market=es_2024 on this machine, sixty times as fast
as the clock, and ends with it. The address that is printed shows the session, and can stop it.

  strategy=zero_dte     the rule, rules, account: as in a backtest
  adapter.speed=120     a day in four minutes; 60 is eight, 1 is real time
  adapter.start="'2024-08-05 09:20'"   another day or time, New York
  --until 12:00         end at this time of the market, New York
  --screen              the session on the terminal, drawn again and again
  --resume RUN          go on with a session that ended, by its journal; give the same words as then
  --fresh               leave alone what an earlier session of the account left open: nobody watches its exits then
  live.fx=6B            dollars per pound: table (dated), 6B (the front pound future), or a number
  live.ceilings.orders_a_day=20    hard ceilings below strategy and rules: conf/live/default.yaml
  --cfg                 print the composed configuration and trade nothing

Ctrl-C or SIGTERM ends it in order and says what rests at the broker, twice ends it at once. A file TOMKING_HOME/kill
halts it. Alerts go to TOMKING_WEBHOOK (live.alerts.shape=ntfy, discord, slack), heartbeats to TOMKING_HEARTBEAT.

  tomking paper
  tomking paper adapter.speed=120 --until 12:00
  tomking paper strategy=lt112 adapter=sandbox live.fx=6B --screen""",
    "live": """\
tomking live: real money, behind two keys; without both everything but sending (shadow)

usage: tomking live adapter=production [group=choice] [group.key=value] [--until HH:MM] [--screen]
                    [--resume RUN | --fresh]
       tomking live arm --account LAST4 --max-loss N --until WHEN [--fx RATE] [--unattended] [group=choice] ...
       tomking live disarm | status [group=choice] ... [--json]

Without an arming that fits, decisions are made and logged and the broker's dry run is asked: nothing is sent. An arming
is bound to one account, this configuration and this version of the program, ends by itself, and lies in a file that
only you can read. The second key is adapter=production, typed with every start. When an arming ends, or is taken away,
nothing is sent any more, exits neither: the session says what it would send.

  --account 0001        the account's last four characters; you type them again to arm
  --max-loss 500        at most so much is lost a day, in account currency
  --until 8h            or 16:00, 2026-12-05, '2026-12-05 16:00' (New York); a week at most
  --fx 1.31             dollars per unit of account currency today; entries stop when it is older than 3 days
  --unattended          no yes is asked before the first order; else it is, at the terminal, with account and rules

  tomking live arm --account 0001 --max-loss 500 --until 8h strategy=zero_dte
  tomking live adapter=production strategy=zero_dte
  tomking live status
  tomking live disarm""",
    "account": """\
tomking account: the live book of a running session, or of the broker where none runs; and what a person tells it

usage: tomking account show|reconcile|stop|resume|cancel|flatten [adapter=NAME] [--session ID] [--yes] [--json]

  show         the picture of the session; without one the broker's own word (adapter=sandbox, adapter=production)
  reconcile    reads the whole account now; exit code 1 where it differs from the books
  stop         no new entries; exits go on
  resume       entries again; where something differs it asks twice
  cancel       every working order, exits included
  flatten      closes every trade at limits that walk from the mid to the natural price; asks twice
  --session    the beginning of its id, where several run
  --yes        do not ask; where it asks twice (flatten, resume with a difference): --yes --yes

Without a session flatten closes the options of a sandbox's account, after it has cancelled what works on them.
Production is flattened by an armed session only.

  tomking account show
  tomking account flatten
  tomking account show adapter=production --json""",
    "manual": """\
tomking manual: orders by hand while the broker is away; what is typed goes into the session that runs

usage: tomking manual show|fill|closed|quote|positions|line|cancel|on [WORDS] [--session ID] [--json]

A session that has lost its broker shows each order as a ticket to type into another platform, and sends nothing.

  show                          the tickets, and what may still work at the broker
  fill ORDER 0.95 debit [3]     what one unit was filled at, and how many; ORDER 5400P=3.10 5350P=1.85 for each leg
  cancel ORDER                  it was not placed, or taken back
  closed TRADE 0.35 debit [1]   what you closed on the platform yourself, all legs of it, and how many units
  quote ES 5412.25              a price; quote VIX 18.4; quote 240802P5400 1.20 1.30
  positions -1 240802P5400 ...  what the account holds, compared with the books; or none
  line "£75000 | ES LT112 (85 DTE, 6420, +5%) | 32% | 2024-08-02 10:15 | VIX 15.2 | PM no"
  on                            place the orders yourself from now on; `tomking account resume` ends it

  tomking manual show
  tomking manual fill r1-zero_dte-240802-00002 0.95 debit
  tomking manual closed r1-zero_dte-240802-00001 0.35 debit 1
  tomking manual quote VIX 18.4""",
    "scenario": """\
tomking scenario: the suite that a trader runs before trusting a change; exit code 1 where one failed

usage: tomking scenario list | run NAME|all|./mine.yaml | august | book RUN [group=choice] [group.key=value] [--json]

  list             every scenario and what must hold in it
  run NAME|all     plays and judges one, or all; ./mine.yaml is one of your own
  run all --book FILE  your own book held through all of them: [{play: lt112, count: 2}]
  run all --golden   against the results that are kept; --accept keeps those of now
  august           four books through 5 August 2024
  book RUN         the book of a run, valued again

  tomking scenario run all
  tomking scenario run VIX_SPIKE strategy=lt112 --json""",
}
"""By the words that are typed."""


def help_of(word: str, rest: Sequence[str]) -> str:
    """The text of a command, or of the word behind it where that has one of its own."""
    behind = next((each for each in rest if not each.startswith("-")), "")
    return HELPS.get(f"{word} {behind}", HELPS.get(word, HELP))
