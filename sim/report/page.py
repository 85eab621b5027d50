"""The page of a run: one self-contained HTML file, from the folder's data alone. No script, no address, no wall time.

The same folder gives the same bytes. What is not known reads n/a; a run without a trade or with one session is a page
like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sim.report import charts, compare, figures, sections
from sim.report.montecarlo import BLOCK, LEAST_DAYS, Bootstrap, bootstrap
from sim.report.pagedata import PageData
from sim.report.sections import empty, num, section, table, th
from sim.report.words import BY_KEY, NA, count, esc, long_date, money, number, percent, plain, plural

STYLE: Final = Path(__file__).with_name("style.css")

SHOWN: Final = frozenset(
    {"strategy", "name", "market", "source", "synthetic", "fill", "fill_name", "fees", "margin", "regime", "rules", "vix"}
    | {"rules_left_out", "bp_cap", "bands", "start", "end", "driver", "sessions_without_data"}
)
"""Facts that have a place of their own in the header; any other is listed beneath them."""


def render(data: PageData) -> str:
    """The page of one run."""
    body = [
        _header(data), _contents(data), _numbers(data), _equity(data), sections.monthly(data), sections.exits(data),
        sections.regimes(data), sections.splits(data), _trades(data), sections.refusals(data), sections.variants(data),
        _bootstrap(data), sections.alerts(data), _parameters(data), sections.definitions(data), _footer(data),
    ]  # fmt: skip
    return _document(data.title, "".join(body))


def render_compare(a: PageData, b: PageData) -> str:
    """Two runs side by side; differences are B less A."""
    return _document(f"{a.title} and {b.title}", compare.heading(a, b) + compare.parts(a, b) + _footer(a))


def _document(title: str, body: str) -> str:
    style = STYLE.read_text(encoding="utf-8") + sections.stacked_style()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{esc(title)}</title>\n<style>\n{style}</style></head>\n<body>{charts.symbols()}<main>{body}</main></body></html>\n"
    )


# -- header -----------------------------------------------------------------------------------------------------------


def _header(data: PageData) -> str:
    rows = "".join(f"<div><dt>{esc(name)}</dt><dd>{words}</dd></div>" for name, words in _facts(data))
    return (
        f"<header><h1>{esc(data.title)}</h1>{_banner(data)}"
        f'<p class="lead">{esc(data.fact("strategy") or "Strategy: n/a")}.</p><dl class="facts">{rows}</dl></header>'
    )


def _banner(data: PageData) -> str:
    source = esc(data.fact("source") or NA)
    match data.fact("synthetic"):
        case "yes":
            out = f'<p class="banner"><b>SYNTHETIC</b> A model market, not real quotes: {source}.</p>'
        case "no":
            out = f'<p class="vendor">Data: <b>{source}</b></p>'
        case _:
            out = f'<p class="banner"><b>Source of the quotes: n/a</b> This run does not say whether its market was real. {source}</p>'
    if data.fact("fill_name") == "at_decision":
        out += (
            '<p class="banner"><b>For comparison only</b> Orders fill on the very quote they were decided on. Nobody can '
            "trade that: use it to compare with other engines and for nothing else.</p>"
        )
    return out


def _facts(data: PageData) -> list[tuple[str, str]]:
    """Names and HTML of the header's facts."""
    days = data.days
    dates = " to ".join(dict.fromkeys(long_date(days[i].session) for i in (0, -1))) if days else NA
    trades = f"{plural(len(data.closed), 'trade')} closed, {len(data.open):,} open, {plural(len(data.refusals), 'refusal')}"
    fill = data.fact("fill")
    named = data.fact("fill_name")
    rules = [rule.strip() for rule in (data.fact("rules") or "").split("; ") if rule.strip()]
    listed = f"<ul>{''.join(f'<li>{esc(rule)}</li>' for rule in rules)}</ul>" if rules else NA
    regime = data.fact("regime")
    bands = ", ".join(f"{b.label} from {b.low:g} (cap {100 * b.cap:g} %)" for b in data.bands)
    driver = {"jump": "searched from trigger to trigger", "every_minute": "every minute"}
    zero = number(data.metrics.get("zero_bid_exits"))
    out = [
        ("Dates", f"{esc(dates)}, {plural(len(days), 'session')}"),
        ("Capital", esc(f"{money(data.start_nlv, sign=False)} {data.currency}".strip())),
        ("Outcome", esc(trades)),
        ("Fill model", f"<b>{esc(named or NA)}</b>: {esc(fill or NA)}"),
        ("Fees", esc(data.fact("fees") or NA)),
        ("Margin", esc(data.fact("margin") or NA)),
        ("VIX regime", esc(f"{regime}: {bands}" if regime and bands else regime or NA)),
        ("VIX", esc(data.fact("vix") or NA)),
        ("Hard cap", esc(f"{percent(100 * data.hard_cap, sign=False, decimals=1)} of the account as buying power" if data.hard_cap is not None else NA)),
        ("Sessions without data", esc(data.fact("sessions_without_data") or NA)),
        ("Zero-bid exits", esc(NA if zero is None else f"{plural(int(zero), 'long leg')} without a bid sold for 0.00 when closing")),
        ("Decisions", esc(driver.get(data.fact("driver") or "", data.fact("driver") or NA))),
        ("Rules left out", esc(data.fact("rules_left_out") or ("none" if "rules_left_out" in data.facts else NA))),
    ]  # fmt: skip
    out += [(plain(name), esc(words)) for name, words in sorted(data.facts.items()) if name not in SHOWN]
    if data.alerts:
        out.append(("Warnings", f'<a href="#warnings">{plural(len(data.alerts), "warning")}</a>'))
    return [*out, ("Rules in force", listed)]


def _contents(data: PageData) -> str:
    places = [
        ("numbers", "Numbers"), ("equity", "Account value"), ("months", "Months"), ("exits", "Exits"), ("regimes", "Regimes"),
        ("trades", "Trades"), ("refusals", "Refusals"), ("fills", "Fill models"), ("bootstrap", "Bootstrap"),
        ("parameters", "Parameters"), ("definitions", "Definitions"),
    ]  # fmt: skip
    if data.open:
        places.insert(6, ("open", "Open trades"))
    return f'<nav aria-label="Contents">{"".join(f"""<a href="#{a}">{t}</a>""" for a, t in places)}</nav>'


# -- the dozen numbers ------------------------------------------------------------------------------------------------


def _numbers(data: PageData) -> str:
    m, unit = data.metrics, data.currency

    def text(key: str) -> str:
        return BY_KEY[key].text(m)

    won = f"{text('winners')} won, {text('losers')} lost of {text('trades')}"
    cards = [
        ("Net P/L", text("net_pnl"), f"{unit} after fees"),
        ("Return", text("return_pct"), "on starting capital"),
        ("CAGR", text("cagr_pct"), "a year" if number(m.get("cagr_pct")) is not None else "needs 20 sessions"),
        ("Max drawdown", text("max_drawdown"), f"{unit}, {text('max_drawdown_pct')}"),
        ("Sharpe", text("sharpe"), "daily, yearly scale"),
        ("Sortino", text("sortino"), "daily, yearly scale"),
        ("CVaR 95, daily", text("cvar_95_daily"), "mean of the worst 5 % of sessions"),
        ("Worst day", text("worst_day"), f"{unit}, close to close"),
        ("Win rate", text("win_rate"), won),
        ("Average win", text("avg_win"), f"{unit} a winner"),
        ("Average loss", text("avg_loss"), f"{unit} a loser"),
        ("Expectancy", text("expectancy"), f"{unit} a trade, profit factor {text('profit_factor')}"),
        ("Premium captured", text("premium_captured_pct"), "of credits taken in, before fees"),
        ("Max buying power", text("max_bp_used_pct"), "of account value"),
        ("Fees", text("fees"), f"{unit} paid"),
        ("Slippage", text("slippage"), f"{unit} against mid, in the P/L"),
    ]
    if data.open:
        cards.insert(1, ("Open value", text("open_value"), f"{unit}, {plural(len(data.open), 'trade')} at last mark"))
    body = "".join(
        f'<div class="card"><dt>{esc(name)}</dt><dd class="{"neg" if value.startswith("-") else ""}">{esc(value)}</dd>'
        f'<dd class="sub">{esc(words)}</dd></div>'
        for name, value, words in cards
    )
    return section("numbers", "In numbers", f'<dl class="cards">{body}</dl>')


# -- charts -----------------------------------------------------------------------------------------------------------


def _equity(data: PageData) -> str:
    if not data.days:
        return section("equity", "Account value", empty("n/a: no session was run."))
    pair = f'<div class="charts two">{figures.buying_power(data)}{figures.vix(data)}</div>'
    return section("equity", "Account value, buying power, VIX", f'<div class="charts">{figures.equity(data)}{figures.drawdown(data)}</div>', pair)


def _trades(data: PageData) -> str:
    unit = data.currency or "account currency"
    if data.closed:
        pictures = "".join(figures.excursions(data.closed, unit, worst=worst) for worst in (True, False))
        body = f'<div class="charts two">{pictures}</div>{sections.trades(data)}'
    else:
        body = empty("No trade was closed in this run. The refusals below say why entries did not happen.")
    closed = section(
        "trades", "Trades", body,
        intro=f"{plural(len(data.closed), 'closed trade')}, every one. Instants in New York time, money in {unit}; worst and best with their moment."
        if data.closed else "",
    )  # fmt: skip
    return closed + (sections.open_trades(data) if data.open else "")


def _bootstrap(data: PageData) -> str:
    title, daily = "Block bootstrap of days", data.daily()
    boot = bootstrap(daily, data.seed)
    if boot is None:
        return section(
            "bootstrap", title, empty(f"n/a: {plural(len(daily), 'session')} with a known P/L; blocks of {BLOCK} days need at least {LEAST_DAYS}.")
        )  # fmt: skip
    unit = data.currency or "account currency"
    words = (
        f"The run's own {boot.days:,} sessions, drawn again in blocks of {boot.block} days until a path is as long as the run: "
        f"{boot.paths:,} paths, seed {boot.seed}. Profits add up in money and are not compounded. {percent(100 * boot.losing, sign=False, decimals=1)} of the "
        "paths end with a loss. Drawdowns here are measured at closes only. No path can hold a day that the run did not have."
    )
    pictures = f'<div class="charts two">{figures.fan(boot, unit)}{figures.falls_of_paths(boot, unit)}</div>'
    return section("bootstrap", title, pictures, _levels(boot, data), intro=words)


def _levels(boot: Bootstrap, data: PageData) -> str:
    start, unit = data.start_nlv, data.currency

    def cells(name: str, values: tuple[float, ...], own: float, *, sign: bool) -> list[str]:
        def one(value: float) -> str:
            share = percent(100 * value / start, sign=sign) if start else ""
            return num(money(value, sign=sign), share)

        return [th(name, f"{unit}, % of starting capital"), *map(one, values), one(own)]

    heads = sections.level_heads()
    rows = [
        cells("Result at or below", boot.result, boot.actual, sign=True),
        cells("Drawdown no deeper than", tuple(-v for v in boot.drawdown), -boot.actual_drawdown, sign=False),
    ]
    return table("Bootstrap by share of the paths", heads, rows, kind="levels")


# -- what it was run with ---------------------------------------------------------------------------------------------


def _parameters(data: PageData) -> str:
    versions = data.manifest.get("versions")
    known = ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else NA
    rows = [
        ("Run", data.manifest.get("run_id")), ("Configuration", data.manifest.get("config_hash")),
        ("Data fingerprint", data.manifest.get("data_fingerprint")), ("Seed", data.manifest.get("seed")),
        ("Commit", data.manifest.get("git_commit")), ("Versions", known),
        ("Quote rows", count(data.metrics.get("rows_available"))),
    ]  # fmt: skip
    listed = "".join(f"<div><dt>{esc(k)}</dt><dd>{esc(NA if v is None else v)}</dd></div>" for k, v in rows)
    config = (
        f"<details><summary>The whole configuration, as resolved</summary><pre>{esc(data.config)}</pre></details>"
        if data.config
        else empty("n/a: the run's folder has no config.yaml.")
    )
    return section("parameters", "Parameters", f'<dl class="facts">{listed}</dl>', config, intro="The same configuration, data and seed give this page again, byte by byte.")


def _footer(data: PageData) -> str:
    what = "SYNTHETIC market, not real quotes." if data.fact("synthetic") == "yes" else "Past results say little about future ones."
    return f"<footer>{esc(what)} A simulation, not advice.</footer>"
