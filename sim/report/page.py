"""The page of a run: one self-contained HTML file, from the folder's data alone. No script, no address, no wall time.

The same folder gives the same bytes. What is not known reads n/a; a run without a trade or with one session is a page
like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sim.report import charts, clouds, compare, figures, lists, plays, sections, stress
from sim.report.markup import empty, section, stacked_style
from sim.report.montecarlo import BLOCK, LEAST_DAYS, bootstrap
from sim.report.pagedata import PageData
from sim.report.sections import unit_of
from sim.report.words import BY_KEY, NA, count, esc, long_date, money, number, percent, plain, plural

STYLE: Final = Path(__file__).with_name("style.css")
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"  # a browser enforces what the page promises

PLACED: Final = frozenset(
    {"strategy", "name", "market", "source", "synthetic", "fill", "fill_name", "fees", "margin", "regime", "rules"}
    | {"rules_left_out", "vix", "bp_cap", "bands", "start", "end", "driver", "sessions_without_data"}
    | {"groups", "phases", "plays", "alike", "equivalents", "notice"}
)
"""Facts that have a place of their own in the header; any other is listed beneath them."""


def render(data: PageData) -> str:
    """The page of one run."""
    parts = (
        _header(data),
        _contents(data),
        _numbers(data),
        _account(data),
        sections.monthly(data),
        sections.exits(data),
        sections.regimes(data),
        sections.splits(data),
        plays.together(data),
        _trades(data),
        lists.refusals(data),
        sections.variants(data),
        stress.section_of(data),
        _bootstrap(data),
        sections.alerts(data),
        _parameters(data),
        sections.definitions(data),
        _footer(data),
    )
    return _document(data.title, "".join(parts))


def render_compare(a: PageData, b: PageData) -> str:
    """Two runs side by side; differences are B less A."""
    return _document(f"{a.title} and {b.title}", compare.heading(a, b) + compare.parts(a, b) + _footer(a, b))


def _document(title: str, body: str) -> str:
    stacked = {**sections.STACKED, **lists.STACKED, **plays.STACKED, **stress.STACKED}
    style = STYLE.read_text(encoding="utf-8") + stacked_style(stacked)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{esc(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body>{charts.symbols()}<main>{body}</main></body></html>\n"
    )


# -- header -----------------------------------------------------------------------------------------------------------


def _header(data: PageData) -> str:
    strategy = data.fact("strategy")
    lead = f"{strategy}." if strategy else f"Strategy: {NA}"
    return (
        f'<header><h1>{esc(data.title)}</h1>{_banner(data)}<p class="lead">{esc(lead)}</p>'
        f"{_pairs([*_facts(data), ('Rules in force', _rules(data))])}</header>"
    )


def _pairs(rows: list[tuple[str, str]]) -> str:
    """Names and HTML side by side."""
    body = "".join(f"<div><dt>{esc(name)}</dt><dd>{words}</dd></div>" for name, words in rows)
    return f'<dl class="facts">{body}</dl>'


def _banner(data: PageData) -> str:
    """Where the quotes come from, and what must not be overlooked."""
    source = esc(data.fact("source") or NA)
    match data.fact("synthetic"):
        case "yes":
            out = f'<p class="banner"><b>SYNTHETIC</b> A model market, not real quotes: {source}.</p>'
        case "no":
            out = f'<p class="vendor">Data: <b>{source}</b></p>'
        case _:
            out = f'<p class="banner"><b>Real or synthetic: n/a</b> The run does not say. Source: {source}.</p>'
    if notice := data.fact("notice"):
        late = (
            " Recorded from a feed that ran behind the market. Every instant here is the market's own; nobody who heard"
            " this feed could have traded at it."
        )
        out += f'<p class="banner"><b>{esc(notice)}</b>{late if "DELAYED" in notice else ""}</p>'
    if data.fact("fill_name") == "at_decision":
        out += (
            '<p class="banner"><b>For comparison only</b> Orders fill on the very quote they were decided on. Nobody '
            "can trade that: use it to compare with other engines and for nothing else.</p>"
        )
    return out


DRIVERS: Final = {"jump": "searched from trigger to trigger", "every_minute": "every minute"}


def _facts(data: PageData) -> list[tuple[str, str]]:
    """Names and HTML of the header's facts; n/a where the run did not leave one."""
    days = data.days
    dates = " to ".join(dict.fromkeys(long_date(days[i].session) for i in (0, -1))) if days else NA
    refused = plural(len(data.refusals), "refusal")
    regime, driver = data.fact("regime"), data.fact("driver")
    bands = ", ".join(f"{b.label} from {b.low:g} (cap {100 * b.cap:g} %)" for b in data.bands)
    cap = None if data.hard_cap is None else percent(100 * data.hard_cap, sign=False, decimals=1)
    zero = number(data.metrics.get("zero_bid_exits"))
    legs = NA if zero is None else f"{plural(int(zero), 'long leg')} without a bid sold for 0.00 when closing"
    left_out = data.fact("rules_left_out") or ("none" if "rules_left_out" in data.facts else NA)
    out = [
        ("Dates", esc(f"{dates}, {plural(len(days), 'session')}")),
        ("Capital", esc(f"{money(data.start_nlv, sign=False)} {data.currency}".strip())),
        ("Outcome", esc(f"{plural(len(data.closed), 'trade')} closed, {len(data.open):,} open, {refused}")),
        ("Fill model", f"<b>{esc(data.fact('fill_name') or NA)}</b>: {esc(data.fact('fill') or NA)}"),
        ("Fees", esc(data.fact("fees") or NA)),
        ("Margin", esc(data.fact("margin") or NA)),
        ("VIX regime", esc(f"{regime}: {bands}" if regime and bands else regime or NA)),
        ("VIX", esc(data.fact("vix") or NA)),
        ("Hard cap", esc(f"{cap} of the account as buying power" if cap else NA)),
        ("Sessions without data", esc(data.fact("sessions_without_data") or NA)),
        ("Zero-bid exits", esc(legs)),
        ("Decisions", esc(DRIVERS.get(driver or "", driver or NA))),
        ("Rules left out", esc(left_out)),
    ]
    out += [(plain(name), esc(words)) for name, words in sorted(data.facts.items()) if name not in PLACED]
    if data.alerts:
        out.append(("Warnings", f'<a href="#warnings">{plural(len(data.alerts), "warning")}</a>'))
    return out


def _rules(data: PageData) -> str:
    rules = [esc(rule.strip()) for rule in (data.fact("rules") or "").split("; ") if rule.strip()]
    return f"<ul>{''.join(f'<li>{rule}</li>' for rule in rules)}</ul>" if rules else NA


def _contents(data: PageData) -> str:
    places = [
        ("numbers", "Numbers"), ("equity", "Account value"), ("months", "Months"), ("exits", "Exits"),
        ("regimes", "Regimes"), ("plays", "Plays"), ("trades", "Trades"), ("open", "Open trades"),
        ("refusals", "Refusals"),
        ("fills", "Fill models"), ("stress", "Weather"), ("bootstrap", "Bootstrap"), ("parameters", "Parameters"),
        ("definitions", "Meanings"),
    ]  # fmt: skip
    there = {"open": bool(data.open), "plays": plays.several(data), "stress": data.stress is not None}
    links = (f'<a href="#{anchor}">{name}</a>' for anchor, name in places if there.get(anchor, True))
    return f'<nav aria-label="Contents">{" ".join(links)}</nav>'


# -- the numbers ------------------------------------------------------------------------------------------------------


def _numbers(data: PageData) -> str:
    unit = unit_of(data)
    text = {key: metric.text(data.metrics) for key, metric in BY_KEY.items()}
    cards = [
        ("net_pnl", f"{unit} after fees"),
        ("open_value", f"{unit}, {plural(len(data.open), 'trade')} at the last mark"),
        ("return_pct", "on starting capital"),
        ("cagr_pct", "a year" if text["cagr_pct"] != NA else "needs 20 sessions"),
        ("max_drawdown", f"{unit}, {text['max_drawdown_pct']}"),
        ("sharpe", "daily, yearly scale"),
        ("sortino", "daily, yearly scale"),
        ("cvar_95_daily", "mean of the worst 5 % of sessions"),
        ("worst_day", f"{unit}, close to close"),
        ("win_rate", f"{text['winners']} won, {text['losers']} lost of {text['trades']}"),
        ("avg_win", f"{unit} a winner"),
        ("avg_loss", f"{unit} a loser"),
        ("expectancy", f"{unit} a trade, profit factor {text['profit_factor']}"),
        ("premium_captured_pct", "of credits taken in, before fees"),
        ("max_bp_used_pct", "of account value"),
        ("fees", f"{unit} paid"),
        ("slippage", f"{unit} against mid, in the P/L"),
    ]
    body = "".join(
        f'<div class="card"><dt>{esc(BY_KEY[key].label)}</dt>'
        f"<dd{' class=neg' if text[key].startswith('-') else ''}>{esc(text[key])}</dd>"
        f'<dd class="sub">{esc(words)}</dd></div>'
        for key, words in cards
        if key != "open_value" or data.open
    )
    return section("numbers", "In numbers", f'<dl class="cards">{body}</dl>')


# -- pictures ---------------------------------------------------------------------------------------------------------


def _pair(*pictures: str) -> str:
    return f'<div class="charts two">{"".join(pictures)}</div>'


def _account(data: PageData) -> str:
    title = "Account value, buying power, VIX"
    if not data.days:
        return section("equity", title, empty(f"{NA}: no session was run."))
    whole = f'<div class="charts">{figures.equity(data)}{figures.drawdown(data)}</div>'
    return section("equity", title, whole, _pair(figures.buying_power(data), figures.vix(data)))


def _trades(data: PageData) -> str:
    still = lists.open_trades(data) if data.open else ""
    if not data.closed:
        words = "No trade was closed in this run. The refusals below say why entries did not happen."
        return section("trades", "Trades", empty(words)) + still
    unit = unit_of(data)
    pictures = _pair(*(clouds.excursions(data.closed, unit, worst=worst) for worst in (True, False)))
    intro = (
        f"{plural(len(data.closed), 'closed trade')}, every one. Instants in New York time, money in {unit}; worst and "
        "best with their moment."
    )
    return section("trades", "Trades", pictures, lists.trades(data), intro=intro) + still


def _bootstrap(data: PageData) -> str:
    title, daily = "Block bootstrap of days", data.daily()
    boot = bootstrap(daily, data.seed)
    if boot is None:
        known = plural(len(daily), "session")
        words = f"{NA}: {known} with a known P/L; blocks of {BLOCK} days need at least {LEAST_DAYS}."
        return section("bootstrap", title, empty(words))
    unit = unit_of(data)
    losing = percent(100 * boot.losing, sign=False, decimals=1)
    intro = (
        f"The run's own {boot.days:,} sessions, drawn again in blocks of {boot.block} days until a path is as long as "
        f"the run: {boot.paths:,} paths, seed {boot.seed}. Profits add up in money and are not compounded. {losing} of "
        "the paths end with a loss. Drawdowns here are measured at closes only. No path can hold a day that was not in "
        "the run."
    )
    pictures = _pair(clouds.fan(boot, unit), clouds.falls_of_paths(boot, unit))
    return section("bootstrap", title, pictures, sections.levels(boot, data), intro=intro)


# -- what it was run with ---------------------------------------------------------------------------------------------


def _parameters(data: PageData) -> str:
    told = data.manifest
    versions = told.get("versions")
    known = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else None
    rows = [
        ("Run", told.get("run_id")), ("Configuration", told.get("config_hash")),
        ("Data fingerprint", told.get("data_fingerprint")), ("Seed", told.get("seed")),
        ("Commit", told.get("git_commit")), ("Versions", known),
        ("Quote rows", count(data.metrics.get("rows_available"))),
    ]  # fmt: skip
    listed = _pairs([(name, esc(NA if value is None else value)) for name, value in rows])
    config = empty(f"{NA}: the run's folder has no config.yaml.")
    if data.config:
        summary = "<summary>The whole configuration, as resolved</summary>"
        config = f"<details>{summary}<pre>{esc(data.config)}</pre></details>"
    intro = "The same configuration, data, seed and code give this page again, byte by byte."
    return section("parameters", "Parameters", listed, config, intro=intro)


def _footer(*runs: PageData) -> str:
    model = any(run.fact("synthetic") == "yes" for run in runs)
    what = "SYNTHETIC market, not real quotes." if model else "Past results say little about future ones."
    return f"<footer>{what} A simulation, not advice.</footer>"
