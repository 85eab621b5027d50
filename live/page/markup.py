"""The page's HTML, part by part, from one picture. Every word is escaped here; a part is the same text for the same
picture, so that only what has changed is sent again.

No attribute holds style or script: the browser is told to run neither. Bars and lines are drawings with sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from live import words
from live.page.distance import line
from live.snapshot import DecisionShown, GroupShown, OrderShown, Snapshot, TradeShown
from live.words import cash, clean, percent
from sim.report.words import NA, esc, plural

DECISIONS: Final = 40
COMMANDS: Final = (
    (
        "stop entries", "Stop entries", "Nothing new is opened from now on. Exits go on as they are.",
        "Yes, stop entries", "", "",
    ),
    (
        "resume", "Resume", "Entries are taken again, unless the guard has a reason of its own not to.", "Yes, resume",
        "Asked for the second time. To resume accepts this as it stands:", "Resume all the same",
    ),
    (
        "cancel all", "Cancel all", "Every working order is cancelled, profit targets at the broker among them.",
        "Yes, cancel all orders", "", "",
    ),
    (
        "flatten", "Flatten",
        "Every open trade would be closed, at limits that walk from the mid to the natural price. First hear at what.",
        "Show me", "Asked for the second time. This is what it would close:", "Flatten now",
    ),
)  # fmt: skip
"""Word, name, what it does, and the button that confirms it; the same where it is asked for a second time."""


def e(text: object) -> str:
    """Text for HTML, with nothing in it that does not print."""
    return esc(clean(text))


def head(shown: Snapshot) -> dict[str, str]:
    """What the script is told besides the parts."""
    tone, _, _ = words.standing(shown.standing)
    return {"ts": str(shown.ts), "at": words.clock(shown.ts), "title": words.headline(shown), "tone": tone}


def parts(shown: Snapshot) -> dict[str, str]:
    """The inside of every part that may change, by its id."""
    return {
        "state": _state(shown),
        "notice": _notice(shown),
        "alarms": _alarms(shown),
        "figures": _figures(shown),
        "positions": _positions(shown),
        "orders": _orders(shown),
        "decisions": _decisions(shown),
        "groups": _groups(shown),
        "greeks": _greeks(shown),
        "profits": _profits(shown),
        "feeds": _feeds(shown),
        "advice": _advice(shown),
    }


def page(shown: Snapshot, act: str, patience: float) -> str:
    """The whole document. ``patience``: seconds without a new picture until it is called old."""
    made, told = parts(shown), head(shown)

    def section(*names: str) -> str:
        return "".join(f'<section id="{name}" class="part">{made[name]}</section>' for name in names)

    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta name="act" content="{esc(act)}">'
        f"<title>{esc(told['title'])}</title>"
        '<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/style.css">'
        '<script src="/script.js" defer></script></head>\n'
        f'<body data-ts="{told["ts"]}" data-at="{told["at"]}" data-tone="{told["tone"]}" '
        f'data-patience="{round(patience * 1000)}">'
        f'<header><div class="row"><div id="state">{made["state"]}</div>{_buttons()}</div>'
        '<p id="stale" role="alert"><b>OLD NUMBERS</b> <span id="why">This page does not get fresh numbers. '
        f"What is below is of {told['at']} New York.</span></p></header>"
        f'<div id="notice">{made["notice"]}</div>'
        f'<main><div id="alarms">{made["alarms"]}</div>{section("figures")}'
        f'<div class="wide">{section("positions", "orders", "decisions")}</div>'
        f'<div class="side">{section("feeds", "groups", "greeks", "profits", "advice")}</div></main>'
        f"{_dialog()}</body></html>\n"
    )


# -- frame ------------------------------------------------------------------------------------------------------------


def _buttons() -> str:
    made = "".join(
        f'<button type="button" data-word="{word}" data-say="{say}" data-yes="{yes}" data-again="{again}"'
        f' data-again-yes="{sure}">{name}</button>'
        for word, name, say, yes, again, sure in COMMANDS
    )
    return f'<nav aria-label="Commands">{made}</nav>'


def _dialog() -> str:
    return (
        '<dialog id="ask" aria-labelledby="ask-name"><h2 id="ask-name"></h2><p id="ask-say"></p>'
        '<p id="ask-told" role="status"></p>'
        '<div class="choice"><button type="button" id="no" autofocus>Not now</button>'
        '<button type="button" id="yes"></button></div></dialog>'
    )


def _state(shown: Snapshot) -> str:
    tone, badge, meaning = words.standing(shown.standing)
    tardy = f'<span class="tardy">{late}</span>' if (late := words.late(shown)) else ""
    account = f'<span class="account">account …{e(shown.account)}</span>' if shown.account else ""
    where = " · ".join(filter(None, (e(shown.adapter), e(shown.market), account)))
    return (
        f'<span class="badge {tone}">{esc(badge)}</span><h1>{e(shown.name)}</h1>'
        f'<p class="where">{where}</p>'
        f'<p class="clock"><b>{words.clock(shown.ts)}</b> New York, {words.day(shown.ts)}<span id="pulse"></span></p>'
        f'<p class="meaning {tone}">{esc(meaning)}{tardy}</p>'
    )


def _notice(shown: Snapshot) -> str:
    said = words.notice(shown)
    return f"<p>{esc(said)}</p>" if said else ""


def _alarm(name: str, lines: Iterable[str], kind: str) -> str:
    """``lines`` are finished HTML."""
    items = "".join(f"<li>{text}</li>" for text in lines)
    return f'<div class="alarm {kind}"><h2>{name}</h2><ul>{items}</ul></div>' if items else ""


def _alarms(shown: Snapshot) -> str:
    """What wants a person now; empty where all is well."""
    tone, _, _ = words.standing(shown.standing)
    causes = [
        f"<b>{e(c.name)}</b> asks for {e(c.standing.replace('_', ' '))} since {words.when(c.since_ns, shown.ts)}: "
        f"{e(c.text)}"
        for c in shown.causes
    ]
    return (
        _alarm("Stops that nobody watches now", map(e, shown.unguarded), words.BAD)
        + _alarm("Place these orders yourself", ("\n".join(map(e, t.splitlines())) for t in shown.manual), words.BAD)
        + _alarm("Differences from the broker", map(e, shown.differences), words.BAD)
        + _alarm("Guard", causes, tone)
    )


# -- pieces -----------------------------------------------------------------------------------------------------------


def _bar(used: float | None, said: str) -> str:
    """A limit and how much of it is used; past the limit the bar is full and red."""
    part, tone = (0.0, "") if used is None else (min(max(used, 0.0), 1.0), words.fullness(used))
    return (
        f'<svg class="bar" height="8" role="img" aria-label="{esc(said)}"><rect class="whole" width="100%" height="8" '
        f'rx="4"/><rect class="{tone}" width="{100 * part:.1f}%" height="8" rx="4"/></svg>'
    )


def _signed(value: float | None, currency: str, decimals: int = 0) -> str:
    told = cash(value, currency, sign=True, decimals=decimals)
    kind = "loss" if told.startswith("-") else "gain" if told.startswith("+") else "even"
    return f'<span class="{kind}">{esc(told)}</span>'


def _heading(name: str, small: str = "") -> str:
    return f"<h2>{name}{f'<small>{esc(small)}</small>' if small else ''}</h2>"


def _none(text: str) -> str:
    return f'<p class="none">{text}</p>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str) -> str:
    """Finished cells; a head that begins with ``>`` is a column of numbers. Each cell knows its head for a phone."""
    names = [(head.lstrip(">"), " class=n" if head.startswith(">") else "") for head in heads]
    top = "".join(f'<th scope="col"{n}>{esc(name)}</th>' for name, n in names)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-name="{esc(name)}"{n}>{c}</td>' for c, (name, n) in zip(row, names, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


# -- parts ------------------------------------------------------------------------------------------------------------


def _card(name: str, value: str, small: str, kind: str = "") -> str:
    """``value`` and ``small`` are finished HTML."""
    return f'<div class="card {kind}"><dt>{name}</dt><dd>{value}</dd><dd class="small">{small}</dd></div>'


def _figures(shown: Snapshot) -> str:
    c, power = shown.currency, words.Power.of(shown)
    before = None if shown.nlv is None or shown.day_profit is None else shown.nlv - shown.day_profit
    change = percent(words.share(shown.day_profit, before), sign=True, decimals=2)
    used, ended = percent(power.of_cap), esc(words.ended(shown))
    health = NA if shown.health is None else f"{shown.health:.0f} of 100"
    worth, held = esc(cash(shown.nlv, c, decimals=2)), esc(cash(shown.cash, c))
    cards = (
        _card("Net liquidation", worth, f"cash {held}{ended}", "main"),
        _card("P/L of the day", _signed(shown.day_profit, c, 2), f"{change} of the account{ended}", "main"),
        _card(
            "Buying power against the cap",
            f"{esc(power.used)} <small>of {esc(power.cap)}</small>",
            f"{_bar(power.of_cap, f'{used} of the cap')}{used} of the cap, {power.of_nlv} of the account",
            "power",
        ),
        _card("VIX", words.points(shown.vix), f"regime {e(shown.regime) or NA}"),
        _card("Phase", e(shown.phase) or NA, f"health {health}"),
        _card("Next", e(shown.next_wake) or "nothing", esc(words.session(shown)), "next"),
    )
    return f"<dl>{''.join(cards)}</dl>"


def _legs(trade: TradeShown) -> str:
    apart = len({leg.dte for leg in trade.legs}) > 1
    items = "".join(
        f'<li class="{"short" if leg.quantity < 0 else "long"}"><b>{leg.quantity:+d}</b> {e(leg.label)}'
        f"{f'<small>{words.expires(leg)}</small>' if apart else ''}</li>"
        for leg in trade.legs
    )
    return f'<ul class="legs">{items}</ul>'


def _expiry(trade: TradeShown) -> str:
    told = words.expiry(trade)
    return "expires today" if told == "today" else told


def _exits(trade: TradeShown) -> str:
    items = "".join(
        f'<li class="{who or "plain"}">{esc(what)}{f"<small>{who}</small>" if who else ""}</li>'
        for what, who in words.exits(trade)
    )
    return f'<ul class="exits">{items}</ul>'


def _earned(trade: TradeShown) -> str:
    """What is left of the credit, or of what was paid."""
    change = None if trade.mark is None else trade.credit - trade.mark
    told = percent(words.share(change, abs(trade.credit)), sign=True, decimals=0)
    return NA if told == NA else f"{told} of the {'debit' if trade.credit < 0 else 'credit'}"


def _positions(shown: Snapshot) -> str:
    if not shown.trades:
        return _heading("Positions") + _none("No open trade.")
    rows = [
        (
            f"<b>{e(t.strategy)}</b><span>{esc(words.title(t))}</span>"
            f"<small>{_expiry(t)}</small><small>since {words.when(t.opened_ns, shown.ts)}</small>",
            _legs(t),
            line(t.legs) or f'<p class="none">distance {NA}</p>',
            f"{words.points(t.credit)}<small>now {words.points(t.mark)}</small>",
            f"{_signed(t.profit, shown.currency)}<small>{_earned(t)}</small>",
            _exits(t),
        )
        for t in shown.trades
    ]
    heads = ("Trade", "Legs", "Short strikes from the market, σ", ">Credit, points", ">P/L after fees", "Exits")
    return _heading("Positions", plural(len(rows), "trade")) + _table(heads, rows, "trades")


def _order(order: OrderShown, now: int) -> Sequence[str]:
    doubt = ' class="bad"' if clean(order.state).upper() in ("IN DOUBT", "IN_DOUBT", "REJECTED") else ""
    return (
        f"<b>{e(order.strategy)}</b>",
        esc(words.times(order.what, order.quantity)),
        esc(words.limit(order)),
        f"<span{doubt}>{e(order.state)}</span>",
        words.when(order.since_ns, now),
        e(order.reason),
    )


def _orders(shown: Snapshot) -> str:
    if not shown.orders:
        return _heading("Orders") + _none("No working order.")
    heads = ("Strategy", "Order", ">Limit, points", "State", "Since", "Reason")
    rows = [_order(order, shown.ts) for order in shown.orders]
    return _heading("Orders", f"{len(rows)} working") + _table(heads, rows, "orders")


KINDS: Final = frozenset({"submit", "cancel", "refuse", "alert", "fill"})


def _decision(decision: DecisionShown, now: int) -> str:
    kind = decision.kind if decision.kind in KINDS else "other"
    who = f"<b>{e(decision.strategy)}</b> " if decision.strategy else ""
    return (
        f'<li><time>{words.when(decision.ts, now)}</time><span class="kind {kind}">{e(decision.kind)}</span>'
        f"<span>{who}{e(decision.text)}</span></li>"
    )


def _decisions(shown: Snapshot) -> str:
    if not shown.decisions:
        return _heading("Decisions") + _none("No decision yet.")
    said = "".join(_decision(d, shown.ts) for d in shown.decisions[:DECISIONS])
    return _heading("Decisions", "the newest first, New York") + f'<ol class="log">{said}</ol>'


def _group(group: GroupShown) -> str:
    said = f"{group.held} of {group.limit}"
    members = ", ".join(map(e, group.members))
    return (
        f"<li><b>{e(group.name)}</b>{_bar(words.share(group.held, group.limit), said)}"
        f'<span class="{"bad" if group.held > group.limit else ""}">{said}</span><small>{members}</small></li>'
    )


def _groups(shown: Snapshot) -> str:
    if not shown.groups:
        return _heading("Groups") + _none("No groups.")
    body = "".join(map(_group, shown.groups))
    return _heading("Groups", "positions of the limit") + f'<ul class="groups">{body}</ul>'


def _greeks(shown: Snapshot) -> str:
    if not shown.greeks:
        return _heading("Net Greeks") + _none("No Greeks.")
    c = shown.currency
    rows = [
        (
            f"<b>{e(g.underlying)}</b>",
            *(esc(cash(x, c, sign=True)) for x in (g.delta / 100, g.gamma / 100, g.theta, g.vega)),
        )
        for g in (*shown.greeks, *words.net(shown))
    ]
    heads = ("", ">Delta, 1 %", ">Gamma, 1 %", ">Theta, day", ">Vega, point")
    return _heading("Net Greeks", words.rate(shown) or clean(c)) + _table(heads, rows, "greeks")


def _profits(shown: Snapshot) -> str:
    if not shown.profits:
        return _heading("P/L by strategy") + _none("No strategy.")
    rows = [(f"<b>{e(name)}</b>", _signed(value, shown.currency, 2)) for name, value in shown.profits]
    return _heading("P/L by strategy", "since the run began") + _table(("Strategy", ">P/L"), rows, "profits")


def _feeds(shown: Snapshot) -> str:
    if not shown.ages:
        return _heading("Feeds") + _none("No feed.")
    items = "".join(
        f'<li class="{"late" if a.late else ""}"><b>{e(a.name)}</b><span>{words.age(a.age)}</span>'
        f"<small>{'LATE, ' if a.late else ''}{words.most(a)}</small></li>"
        for a in shown.ages
    )
    return _heading("Feeds", "last heard") + f'<ul class="feeds">{items}</ul>'


def _advice(shown: Snapshot) -> str:
    items = "".join(f"<li>{e(text)}</li>" for text in shown.recommendations)
    return _heading("Recommendations") + (f'<ul class="advice">{items}</ul>' if items else _none("None."))
